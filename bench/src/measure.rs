//! The cost of an operation: time, CPU, peak memory. From `/proc`; no operation is measured from inside.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use pith_e2e::tools::pause;

/// Clock ticks a second in `/proc/*/stat`; Linux has shown 100 to programs for twenty years.
const TICKS: f64 = 100.0;

/// One run of one side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Seconds, or operations a second.
    pub(crate) value: f64,
    /// Seconds of CPU, user and system, over all threads.
    pub(crate) cpu: f64,
    /// The most memory that was resident, in MiB.
    pub(crate) peak: f64,
    /// Milliseconds that 99 of 100 requests take at most; 0 where no requests are counted.
    pub(crate) p99: f64,
}

/// Waits until what others wrote is on the disk: who makes its files durable would have to write theirs too.
fn settle() -> anyhow::Result<()> {
    let status = Command::new("sync").status()?;
    ensure!(status.success(), "sync: {status}");
    Ok(())
}

/// The middle of each number on its own.
pub(crate) fn median(samples: &[Sample]) -> Sample {
    let middle = |number: fn(&Sample) -> f64| {
        let mut numbers: Vec<f64> = samples.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).copied().unwrap_or_default()
    };
    Sample {
        value: middle(|sample| sample.value),
        cpu: middle(|sample| sample.cpu),
        peak: middle(|sample| sample.peak),
        p99: middle(|sample| sample.p99),
    }
}

/// Runs an operation of a server and says what the server spent on it.
pub(crate) fn server<T>(
    pid: u32,
    operation: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<Sample> {
    settle()?;
    // From here on VmHWM counts anew.
    fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    let before = cpu(pid)?;
    let started = Instant::now();
    operation()?;
    Ok(Sample {
        value: started.elapsed().as_secs_f64(),
        cpu: cpu(pid)? - before,
        peak: peak(pid)?,
        p99: 0.0,
    })
}

/// Runs a program to its end. Its peak memory is that of the program itself; its CPU time includes what it started.
pub(crate) fn program(command: &mut Command) -> anyhow::Result<Sample> {
    settle()?;
    let before = children_cpu()?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Progress of many downloads; a failure shows in the exit code.
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{command:?} did not start"))?;
    let mut highest = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        highest = highest.max(peak(child.id()).unwrap_or_default());
        pause(Duration::from_millis(2));
    };
    let value = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(Sample {
        value,
        cpu: children_cpu()? - before,
        peak: highest,
        p99: 0.0,
    })
}

/// CPU seconds of a process so far.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<f64> {
    stat_ticks(&format!("/proc/{pid}/stat"), 11)
}

/// CPU seconds of the children that this process has waited for.
fn children_cpu() -> anyhow::Result<f64> {
    stat_ticks("/proc/self/stat", 13)
}

/// The sum of two neighbouring fields, counted from behind the name of the program (which may hold blanks).
fn stat_ticks(path: &str, field: usize) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path)?;
    let (_, fields) = text.rsplit_once(')').context("another /proc/*/stat")?;
    let ticks: f64 = fields
        .split_ascii_whitespace()
        .skip(field)
        .take(2)
        .filter_map(|number| number.parse::<f64>().ok())
        .sum();
    Ok(ticks / TICKS)
}

/// The most memory that a process had resident, in MiB.
pub(crate) fn peak(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM: the process is gone")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_number_by_number() {
        let sample = |value, cpu| Sample {
            value,
            cpu,
            peak: 0.0,
            p99: 0.0,
        };
        let middle = median(&[sample(3.0, 10.0), sample(1.0, 30.0), sample(2.0, 20.0)]);
        assert_eq!((middle.value, middle.cpu), (2.0, 20.0));
        assert_eq!(median(&[]).value, 0.0);
    }

    #[test]
    fn a_process_can_look_at_itself() {
        let me = std::process::id();
        assert!(peak(me).unwrap() > 0.5);
        assert!(cpu(me).unwrap() >= 0.0);
    }
}
