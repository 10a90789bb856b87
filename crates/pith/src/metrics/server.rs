//! The numbers of the server itself: its queue, workers, transfers, database, disks, memory.

use std::time::Duration;

use pith_core::task::TaskState;
use pith_store::OpenTasks;

use super::Metrics;
use crate::exposition::{MetricKind, MetricsPage};
use crate::memory;

/// The longest wait for the database.
const PATIENCE: Duration = Duration::from_secs(5);

impl Metrics {
    /// Writes everything that the server knows about itself.
    pub(super) async fn write_server(&self, page: &mut MetricsPage) {
        self.write_process(page);
        self.write_connections(page);
        self.write_queue(page).await;
        self.write_work(page);
        self.write_storage(page);
    }

    fn write_process(&self, page: &mut MetricsPage) {
        let name = "pith_build_info";
        page.metric(name, MetricKind::Gauge, "The version that runs.");
        page.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let uptime = self.started.elapsed().as_secs();
        page.one(
            "pith_uptime_seconds",
            MetricKind::Gauge,
            "Time since the start.",
            uptime,
        );
        if let Some(bytes) = memory::resident() {
            let help = "Memory of the process.";
            page.one(
                "process_resident_memory_bytes",
                MetricKind::Gauge,
                help,
                bytes,
            );
        }
    }

    fn write_connections(&self, page: &mut MetricsPage) {
        let figures = self.connections.figures();
        let name = "pith_connections";
        page.metric(name, MetricKind::Gauge, "Connections of clients.");
        let http1 = figures.open.saturating_sub(figures.http2);
        page.sample(name, &[("protocol", "http/1")], http1);
        page.sample(name, &[("protocol", "http/2")], figures.http2);
        let help = "Connections that there may be.";
        page.one(
            "pith_connections_max",
            MetricKind::Gauge,
            help,
            figures.most,
        );
        let help = "Requests that are not answered to the end.";
        page.one(
            "pith_http_requests_in_flight",
            MetricKind::Gauge,
            help,
            figures.requests,
        );
    }

    /// Writes the queue, of all processes on the database; leaves it out while the database does not answer.
    async fn write_queue(&self, page: &mut MetricsPage) {
        let open = tokio::time::timeout(PATIENCE, self.engine.store.tasks_open()).await;
        let open = open.ok().and_then(Result::ok);
        let help = "Is 1 while the database answers.";
        page.one(
            "pith_database_up",
            MetricKind::Gauge,
            help,
            u8::from(open.is_some()),
        );
        let Some(open) = open else { return };
        let name = "pith_tasks";
        page.metric(
            name,
            MetricKind::Gauge,
            "Tasks that wait or run, in the whole system.",
        );
        for tasks in &open {
            let labels = [("kind", tasks.kind.as_str()), ("state", tasks.state.name())];
            page.sample(name, &labels, tasks.count);
        }
        let is_waiting = |tasks: &&OpenTasks| tasks.state == TaskState::Waiting;
        let waiting = || open.iter().filter(is_waiting);
        let length: i64 = waiting().map(|tasks| tasks.count).sum();
        page.one(
            "pith_queue_length",
            MetricKind::Gauge,
            "Tasks that wait.",
            length,
        );
        let oldest = waiting().map(|tasks| tasks.oldest).min();
        let now = self.engine.clock.now();
        let age = oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs().max(0));
        let help = "Age of the oldest task that waits; 0 when none does.";
        page.one("pith_queue_oldest_seconds", MetricKind::Gauge, help, age);
    }

    fn write_work(&self, page: &mut MetricsPage) {
        let workers = self.engine.workers();
        let name = "pith_workers";
        page.metric(name, MetricKind::Gauge, "Workers of this process.");
        page.sample(name, &[("state", "busy")], workers.busy);
        let idle = workers.all.saturating_sub(workers.busy);
        page.sample(name, &[("state", "idle")], idle);
        let name = "pith_tasks_ended_total";
        page.metric(
            name,
            MetricKind::Counter,
            "Tasks that ended in this process.",
        );
        for tasks in self.engine.tasks_ended() {
            let labels = [("kind", tasks.kind), ("state", tasks.state.name())];
            page.sample(name, &labels, tasks.count);
        }
        let transfers = self.engine.fetcher.transfers();
        let name = "pith_fetches_total";
        page.metric(
            name,
            MetricKind::Counter,
            "Files and documents that feeds were asked for.",
        );
        page.sample(name, &[("result", "fetched")], transfers.fetched);
        page.sample(name, &[("result", "unchanged")], transfers.unchanged);
        page.sample(name, &[("result", "failed")], transfers.failed);
        let help = "Bytes that feeds sent, unpacked.";
        page.one(
            "pith_fetched_bytes_total",
            MetricKind::Counter,
            help,
            transfers.bytes,
        );
    }

    fn write_storage(&self, page: &mut MetricsPage) {
        let pools = self.engine.store.pools();
        let name = "pith_database_connections";
        page.metric(name, MetricKind::Gauge, "Connections to the database.");
        for pool in &pools {
            let used = pool.open - pool.idle;
            page.sample(name, &[("pool", pool.name), ("state", "used")], used);
            page.sample(name, &[("pool", pool.name), ("state", "idle")], pool.idle);
        }
        let name = "pith_database_connections_max";
        page.metric(
            name,
            MetricKind::Gauge,
            "Connections to the database that there may be.",
        );
        for pool in &pools {
            page.sample(name, &[("pool", pool.name)], pool.most);
        }
        let disks = self.engine.disks();
        let name = "pith_disk_free_bytes";
        page.metric(name, MetricKind::Gauge, "Room on the disk with these.");
        for disk in &disks {
            page.sample(name, &[("disk", disk.name)], disk.free);
        }
        let name = "pith_disk_size_bytes";
        page.metric(name, MetricKind::Gauge, "Size of the disk with these.");
        for disk in &disks {
            page.sample(name, &[("disk", disk.name)], disk.size);
        }
    }
}
