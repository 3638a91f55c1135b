//! `postern version`: the program's name and version.

use super::command::{CommandRow, Operand, WRONG_USAGE, WorksOn};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "version",
    summary: "print the version",
    details: "The same as --version.",
    flags: &[],
    operand: Operand::None,
    statuses: &[(0, "printed"), WRONG_USAGE],
    works_on: WorksOn::Nothing,
    run: |_, context| Ok(context.print(&format!("{VERSION}\n"))?),
};

/// `postern 0.1.0`.
pub(super) const VERSION: &str = concat!("postern ", env!("CARGO_PKG_VERSION"));
