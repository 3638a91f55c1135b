use super::*;
use std::collections::BTreeMap;

#[test]
fn it_holds_what_was_put_in_and_not_removed_in_order_and_nearly_full_blocks() {
    // Ascending, descending, and as if at random.
    let orders: [fn(u32) -> u32; 3] = [|n| n, |n| u32::MAX - n, |n| n.wrapping_mul(0x9e37_79b1)];
    for order in orders {
        let id = |n: u32| {
            let mut bytes = [7; 16];
            bytes[..4].copy_from_slice(&order(n).to_be_bytes());
            Id(bytes)
        };
        let (mut sorted, mut model) = (Sorted::default(), BTreeMap::new());
        for n in 0..20_000_u32 {
            let place = sorted.find(id(n)).unwrap_err();
            sorted.insert(place, id(n), n);
            model.insert(id(n), n);
            let place = sorted.find(id(n / 2)).ok();
            assert_eq!(
                place.map(|place| *sorted.at(place)),
                model.get(&id(n / 2)).copied()
            );
            if n % 5 == 0 {
                assert!(sorted.remove(id(n / 3)) == model.remove(&id(n / 3)).is_some());
            }
        }
        assert!(sorted.copy().into_iter().eq(model.clone()));
        assert!(
            sorted
                .0
                .iter()
                .all(|block| (1..=BLOCK).contains(&block.len()))
        );
        assert!(
            sorted.len() * 4 >= sorted.0.len() * BLOCK * 3,
            "three quarters full"
        );
        sorted.retain(|n| n % 16 == 0);
        model.retain(|_, n| *n % 16 == 0);
        assert!(sorted.copy().into_iter().eq(model));
        assert!(sorted.bytes() <= sorted.len() * 24 + 1000);
        sorted.retain(|_| false);
        assert_eq!(sorted.bytes(), 0);
    }
}
