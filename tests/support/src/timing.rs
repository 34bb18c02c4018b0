//! Limits on times that hold on a busy machine, too. A single attempt may be late there, because
//! other programs have the processors. What is broken is late in each attempt.

use std::time::Duration;

/// Tries up to three times, until an attempt keeps its limits: `Ok`. What must hold in every
/// attempt is asserted by the attempt itself.
///
/// # Panics
/// If no attempt succeeds. The message has what each of them says.
#[track_caller]
pub fn best_of_three(mut attempt: impl FnMut() -> Result<(), String>) {
    let mut tried = Vec::new();
    for _ in 0..3 {
        match attempt() {
            Ok(()) => return,
            Err(why) => tried.push(why),
        }
    }
    panic!("in each of three attempts: {tried:?}");
}

/// `Ok` if `took` is less than `most`, for [`best_of_three`].
///
/// # Errors
/// If it is not. The text has both.
pub fn in_time(took: Duration, most: Duration) -> Result<(), String> {
    if took < most { Ok(()) } else { Err(format!("{took:?}, and not within {most:?}")) }
}

/// Checks that the best of three attempts, each of which returns how long it took, takes less than
/// `most`.
#[track_caller]
pub fn once_within(most: Duration, mut attempt: impl FnMut() -> Duration) {
    best_of_three(|| in_time(attempt(), most));
}

/// Checks that the median of five attempts, each of which returns how long it took, is less than
/// `most`.
#[track_caller]
pub fn usually_within(most: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut took: Vec<Duration> = (0..5).map(|_| attempt()).collect();
    took.sort_unstable();
    assert!(took[2] < most, "{took:?}, and mostly not within {most:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_is_late_is_made_again_and_three_of_them_fail() {
        let times = |most| {
            let mut left = [90, 80, 20, 70, 10].map(Duration::from_millis).into_iter();
            move |check: fn(Duration, &mut dyn FnMut() -> Duration)| {
                let attempts = std::panic::AssertUnwindSafe(|| {
                    check(Duration::from_millis(most), &mut || left.next().unwrap());
                });
                std::panic::catch_unwind(attempts).is_ok()
            }
        };
        assert!(times(21)(|most, attempt| once_within(most, attempt)));
        assert!(!times(20)(|most, attempt| once_within(most, attempt)));
        assert!(times(71)(|most, attempt| usually_within(most, attempt)));
        assert!(!times(70)(|most, attempt| usually_within(most, attempt)));
    }
}
