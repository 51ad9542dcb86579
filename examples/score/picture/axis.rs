//! The time axis.

/// Distances of labels, in seconds.
const DISTANCES: [f64; 22] = [
    0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 7200.0, 14400.0,
];
/// Most distances on an axis: more labels would run into each other on a phone.
const MOST: f64 = 6.0;

pub(super) struct Tick {
    pub(super) seconds: f64,
    pub(super) label: String,
}

/// Labels at round times from 0 to a length.
pub(super) fn ticks(length: f64) -> Vec<Tick> {
    let fits = |distance: &f64| length / distance <= MOST;
    let distance = DISTANCES.into_iter().find(fits);
    // Days: a label an hour or several, whatever comes out.
    let distance = distance.unwrap_or_else(|| (length / MOST / 3600.0).ceil() * 3600.0);
    let count = (length / distance + 1e-9).floor() as u32;
    (0..=count)
        .map(|index| {
            let seconds = f64::from(index) * distance;
            let label = label(seconds, distance, length);
            Tick { seconds, label }
        })
        .collect()
}

/// What the labels are in.
pub(super) fn unit(length: f64) -> &'static str {
    match length {
        0.0..60.0 => "s",
        60.0..3600.0 => "min:s",
        _ => "h:min:s",
    }
}

fn label(seconds: f64, distance: f64, length: f64) -> String {
    let whole = seconds.round() as u64;
    match unit(length) {
        "s" => {
            let decimals = [1.0, 0.1, 0.01].iter().filter(|step| distance < **step - 1e-9).count();
            format!("{seconds:.decimals$}")
        }
        "min:s" => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_few_at_any_length() {
        let labels = |length| ticks(length).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(10.09), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(
            labels(0.03),
            ["0.000", "0.005", "0.010", "0.015", "0.020", "0.025", "0.030"]
        );
        assert_eq!(labels(75.0), ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15"]);
        assert_eq!(labels(5400.0)[1], "0:15:00");
        for length in [0.025, 1.0, 59.9, 60.0, 3599.0, 86_400.0, 1e6] {
            assert!(
                (2..=7).contains(&labels(length).len()),
                "{length}: {:?}",
                labels(length)
            );
        }
    }
}
