use super::*;
use crate::cli::{Command, parse};

#[test]
fn each_command_has_its_row_and_each_flag_one_meaning() {
    use CommandId::{
        Audit, AuditVerify, Cert, CertRenew, Check, Cve, HashPassword, Health, Help,
        JournalCompact, JournalDump, JournalRepair, JournalStat, JournalVerify, Lockouts,
        LockoutsClear, Logs, Passwd, Sbom, Serve, Status, Version,
    };
    for id in [
        Serve,
        Check,
        HashPassword,
        Health,
        Status,
        Cve,
        Lockouts,
        LockoutsClear,
        Passwd,
        Cert,
        CertRenew,
        Logs,
        Audit,
        AuditVerify,
        JournalStat,
        JournalVerify,
        JournalDump,
        JournalCompact,
        JournalRepair,
        Sbom,
        Version,
        Help,
    ] {
        assert_eq!(id.row().id, id);
        // Whatever can be called can be explained.
        let name = id.row().name;
        for words in [format!("help {name}"), format!("{name} --help")] {
            let invocation = parse(words.split(' ')).map(|invocation| invocation.command);
            assert_eq!(invocation, Ok(Command::Help(Some(id))), "{words}");
        }
    }
    for command in COMMANDS {
        for flag in command.flags {
            assert!(COMMON_FLAGS.iter().all(|other| other.long != flag.long));
        }
    }
}
