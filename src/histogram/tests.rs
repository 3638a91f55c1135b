use super::*;

#[test]
fn what_took_just_as_long_as_a_bound_is_within_it() {
    let histogram = Histogram::default();
    for took in [BOUNDS[0], BOUNDS[0] + Duration::from_nanos(1), BOUNDS[9]] {
        histogram.observe(took);
    }
    histogram.observe(Duration::from_secs(6));
    let counted = histogram.counted();
    assert_eq!(counted.cumulative, [1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4]);
    assert_eq!(counted.total(), 4);
    assert_eq!(counted.sum, Duration::from_micros(11_000_200));
}
