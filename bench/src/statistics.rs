//! Medians, and when a goal counts as met.

/// Of the rounds, this share must come near the goal, so that one lucky round is not enough.
const MOST: f64 = 0.8;
/// And near is this share of the goal.
const NEAR: f64 = 0.9;

/// The middle of the values, or the mean of the two in the middle; 0 where there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    }
}

/// The value below which this many of a hundred lie (nearest rank).
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Whether rounds reach a goal: their median does, and four of five come near it.
/// Bigger values are better; no rounds reach nothing.
pub(crate) fn reaches(rounds: &[f64], goal: f64) -> bool {
    let near = rounds.iter().filter(|value| **value >= goal * NEAR).count();
    !rounds.is_empty() && median(rounds) >= goal && near as f64 >= rounds.len() as f64 * MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_the_order_and_the_outlier() {
        assert_eq!(median(&[5.0, 1.0, 900.0, 2.0, 3.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50), 100.0);
        assert_eq!(percentile(&values, 99), 198.0);
        assert_eq!(percentile(&[3.0], 99), 3.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }

    #[test]
    fn a_goal_needs_the_median_and_four_rounds_of_five() {
        assert!(reaches(&[5.0, 5.1, 4.6, 5.2, 1.0], 5.0));
        assert!(
            !reaches(&[5.0, 5.1, 4.4, 5.2, 1.0], 5.0),
            "two rounds are far away"
        );
        assert!(
            !reaches(&[4.9, 4.9, 4.9, 9.0, 9.0], 5.0),
            "the median is below"
        );
        assert!(reaches(&[5.0], 5.0));
        assert!(!reaches(&[], 5.0));
    }
}
