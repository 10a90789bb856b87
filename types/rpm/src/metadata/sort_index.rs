//! Pulp's sort index: a text whose plain order approximates version order (pulp2/rpm-units#sort-index). Shown to clients and
//! usable in their filters; pith itself compares versions as rpm does.

/// The sort index of a version or release; `None` for an empty text or a run of more than 99 digits.
#[must_use]
pub fn encode(version: &str) -> Option<String> {
    if version.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(version.len() * 3);
    for piece in version.split('.') {
        let mut rest = piece;
        while !rest.is_empty() {
            let digits = rest.starts_with(|c: char| c.is_ascii_digit());
            let end = rest
                .find(|c: char| c.is_ascii_digit() != digits)
                .unwrap_or(rest.len());
            let (run, tail) = rest.split_at(end);
            rest = tail;
            if !out.is_empty() {
                out.push('.');
            }
            push_run(&mut out, run, digits)?;
        }
    }
    Some(out)
}

fn push_run(out: &mut String, run: &str, digits: bool) -> Option<()> {
    if !digits {
        out.push('$');
        out.extend(run.chars().filter(char::is_ascii_alphabetic));
        return Some(());
    }
    let number = run.trim_start_matches('0');
    let number = if number.is_empty() { "0" } else { number };
    if number.len() > 99 {
        return None;
    }
    let length = number.len();
    out.push(char::from(b'0' + u8::try_from(length / 10).ok()?));
    out.push(char::from(b'0' + u8::try_from(length % 10).ok()?));
    out.push('-');
    out.push_str(number);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_reference_hold() {
        for (version, index) in [
            ("3.9", "01-3.01-9"),
            ("1.el7", "01-1.$el.01-7"),
            ("007", "01-7"),
            ("1.0~rc1", "01-1.01-0.$rc.01-1"),
            ("1.2-3", "01-1.01-2.$.01-3"),
            ("0", "01-0"),
            ("20180730223407", "14-20180730223407"),
        ] {
            assert_eq!(encode(version).as_deref(), Some(index));
        }
        assert_eq!(encode("1.0^git").as_deref(), Some("01-1.01-0.$git"));
        assert_eq!(encode(""), None);
        assert_eq!(encode(&"1".repeat(100)), None);
    }

    proptest! {
        #[test]
        fn numbers_sort_as_numbers(a in 0u64.., b in 0u64..) {
            let (x, y) = (encode(&a.to_string()).unwrap(), encode(&b.to_string()).unwrap());
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = encode(&text);
        }
    }
}
