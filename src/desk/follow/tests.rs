use super::*;
use crate::entropy::FakeEntropy;

#[test]
fn attempts_come_at_once_and_then_ever_more_seldom_never_in_step() {
    let timing = Timing::default();
    let pauses = |seed| {
        let (entropy, mut delay) = (FakeEntropy::new(seed), ReconnectDelay::new(timing));
        [(); 9].map(|()| delay.next(&entropy))
    };
    let first = pauses(1);
    for (pause, about) in first.iter().zip([0, 1, 2, 4, 8, 16, 30, 30, 30]) {
        let about = Duration::from_secs(about);
        assert!((about * 3 / 4..=about * 5 / 4).contains(pause), "{pause:?}");
    }
    assert_ne!(first, pauses(2));
    let (entropy, mut delay) = (FakeEntropy::new(1), ReconnectDelay::new(timing));
    delay.next(&entropy);
    assert!(delay.next(&entropy) > Duration::ZERO);
    delay.reset();
    assert_eq!(delay.next(&entropy), Duration::ZERO);
}
