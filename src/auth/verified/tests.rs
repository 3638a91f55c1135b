use super::*;
use crate::clock::Timestamp;
use crate::entropy::SystemEntropy;

#[test]
fn so_many_are_kept_and_no_more() {
    for most in [0, 1, 3] {
        let kept = VerifiedTokens::new(most, &SystemEntropy);
        for number in 0..10_u64 {
            let Some(fingerprint) = kept.fingerprint(&number.to_string()) else {
                assert_eq!(most, 0);
                continue;
            };
            assert_eq!(kept.get(fingerprint), None);
            let claims = Claims::sample(Timestamp::from_secs(number));
            kept.keep(fingerprint, claims);
            assert_eq!(kept.get(fingerprint), Some(claims));
        }
        assert!(kept.claims.lock().len() <= most);
    }
}
