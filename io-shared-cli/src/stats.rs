//! Mean, extremes and deviation of the latest samples.

use std::collections::VecDeque;

/// The latest samples.
pub(crate) struct Window {
    samples: VecDeque<f64>,
    most: usize,
}

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) deviation: f64,
    pub(crate) count: usize,
}

impl Window {
    pub(crate) fn new(most: usize) -> Self {
        Self { samples: VecDeque::new(), most: most.max(1) }
    }

    pub(crate) fn add(&mut self, sample: f64) {
        if self.samples.len() == self.most {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// `None` without samples.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let count = self.samples.len();
        let first = *self.samples.front()?;
        let mean = self.samples.iter().sum::<f64>() / count as f64;
        let squares = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
        Some(Summary {
            mean,
            min: self.samples.iter().copied().fold(first, f64::min),
            max: self.samples.iter().copied().fold(first, f64::max),
            deviation: (squares / count as f64).sqrt(),
            count,
        })
    }
}

impl Summary {
    /// The second line of a report, as `ros2 topic` writes it.
    pub(crate) fn line(&self) -> String {
        let Self { min, max, deviation, count, .. } = self;
        format!("\tmin: {min:.3}s max: {max:.3}s std dev: {deviation:.5}s window: {count}")
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "mean": self.mean,
            "min": self.min,
            "max": self.max,
            "std_dev": self.deviation,
            "window": self.count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_its_oldest_samples() {
        let mut window = Window::new(2);
        assert_eq!(window.summary(), None);
        [100.0, 1.0, 3.0].into_iter().for_each(|sample| window.add(sample));
        let summary = window.summary().unwrap();
        assert_eq!(summary, Summary { mean: 2.0, min: 1.0, max: 3.0, deviation: 1.0, count: 2 });
        assert_eq!(summary.line(), "\tmin: 1.000s max: 3.000s std dev: 1.00000s window: 2");
    }
}
