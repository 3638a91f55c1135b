//! Who comes first where something is short: the proven before the unproven, then whoever holds least.
//!
//! Connections, bytes before sign-in, password checks and waiting requests are all shared out by this one order.

use std::collections::HashMap;

use crate::ids::ClientKey;

/// Where a client stands. The least comes first, the greatest gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// It has shown no good credential of late.
    is_unproven: bool,
    /// How much it holds, or a tenth of what the unproven of its /64 hold, if that is more: one host can have any number
    /// of addresses there.
    burden: usize,
    /// How much the unproven of its /64 hold.
    network: usize,
}

/// Who holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The address; none on the local socket.
    pub client: Option<ClientKey>,
    /// Whether it was proven when it got it. What the unproven get counts for their /64 too.
    pub is_proven: bool,
}

/// How much each client, and each /64 of unproven clients, holds of one thing. As large as there are holders.
#[derive(Debug, Default)]
pub struct Holdings {
    clients: HashMap<Option<ClientKey>, usize>,
    networks: HashMap<ClientKey, usize>,
}

impl Holder {
    /// The /64 that it counts for.
    #[must_use]
    pub fn network(&self) -> Option<ClientKey> {
        let unproven = self.client.filter(|_| !self.is_proven);
        unproven.and_then(|client| client.network())
    }
}

impl Holdings {
    /// The holder has so much more.
    pub fn add(&mut self, holder: Holder, amount: usize) {
        if amount == 0 {
            return;
        }
        *self.clients.entry(holder.client).or_default() += amount;
        if let Some(network) = holder.network() {
            *self.networks.entry(network).or_default() += amount;
        }
    }

    /// The holder has so much less.
    pub fn remove(&mut self, holder: Holder, amount: usize) {
        take_from(&mut self.clients, &holder.client, amount);
        if let Some(network) = holder.network() {
            take_from(&mut self.networks, &network, amount);
        }
    }

    /// How much the client holds.
    #[must_use]
    pub fn of(&self, client: Option<ClientKey>) -> usize {
        self.clients.get(&client).copied().unwrap_or(0)
    }

    /// How much the unproven of a holder's /64 hold, if it counts for one.
    #[must_use]
    pub fn of_network(&self, holder: Holder) -> Option<usize> {
        let network = holder.network()?;
        Some(self.networks.get(&network).copied().unwrap_or(0))
    }

    /// Where the holder stands.
    #[must_use]
    pub fn precedence(&self, holder: Holder) -> Precedence {
        Precedence::new(holder, self.of(holder.client), self.of_network(holder))
    }

    /// Where the holder would stand with `amount` more, taken from another if there is one `from` whom it comes.
    #[must_use]
    pub fn precedence_with(
        &self,
        holder: Holder,
        amount: usize,
        from: Option<Holder>,
    ) -> Precedence {
        let given = |is_same: bool| if is_same { amount } else { 0 };
        let own = given(from.is_some_and(|from| from.client == holder.client));
        let network = given(from.is_some_and(|from| from.network() == holder.network()));
        Precedence::new(
            holder,
            (self.of(holder.client) + amount).saturating_sub(own),
            self.of_network(holder)
                .map(|held| (held + amount).saturating_sub(network)),
        )
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.networks.is_empty()
    }
}

impl Precedence {
    fn new(holder: Holder, own: usize, network: Option<usize>) -> Self {
        let network = network.unwrap_or(own);
        Self {
            is_unproven: !holder.is_proven,
            burden: own.max(network.div_ceil(NETWORK_SHARE)),
            network,
        }
    }

    /// That of a proven client which holds one.
    #[must_use]
    pub const fn of_one() -> Self {
        Self {
            is_unproven: false,
            burden: 1,
            network: 1,
        }
    }

    /// Whether the client is proven.
    #[must_use]
    pub const fn is_proven(self) -> bool {
        !self.is_unproven
    }
}

fn take_from<K: Eq + std::hash::Hash>(table: &mut HashMap<K, usize>, key: &K, amount: usize) {
    if let Some(held) = table.get_mut(key) {
        *held = held.saturating_sub(amount);
        // Kept to those who hold something: the table never outgrows what there is to hold.
        if *held == 0 {
            table.remove(key);
        }
    }
}

/// The unproven of a /64 may together hold this many times as much as one address.
pub const NETWORK_SHARE: usize = 10;

#[cfg(test)]
mod tests;
