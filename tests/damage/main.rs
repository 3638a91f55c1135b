//! Damage to the journal: whatever it is, what was whole is in force afterwards, or somebody is told what to do.

#[path = "../../fuzz/checks.rs"]
mod checks;
mod corpus;
mod every;
