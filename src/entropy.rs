//! Randomness, as an argument: the kernel's in a running server, a seeded one in tests.

/// A source of bytes nobody can predict.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The kernel's generator (`getrandom(2)`).
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the kernel has no randomness to give. A key or token made without it would be worth nothing,
    /// so there is no way to go on.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the kernel gives no random bytes");
    }
}

/// A repeatable sequence for tests; worthless as a secret.
#[derive(Debug)]
pub struct FakeEntropy(parking_lot::Mutex<u64>);

impl FakeEntropy {
    /// A sequence that depends on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(parking_lot::Mutex::new(seed))
    }
}

impl Entropy for FakeEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock();
        for byte in buffer {
            // SplitMix64, a byte a step.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed >> 56) as u8;
        }
    }
}
