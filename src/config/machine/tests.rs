use super::*;

fn machine(memory: u64) -> Machine {
    Machine {
        cores: 1,
        memory,
        root: false,
        env_file: PathBuf::new(),
        log: None,
    }
}

#[test]
fn defaults_are_sized_to_the_board_within_bounds() {
    for (mebibytes, connections, buffer) in [
        (16, 64, 256 * 1024),
        (256, 512, 1024 * 1024),
        (8192, 1024, 4 * 1024 * 1024),
    ] {
        let machine = machine(mebibytes * MIB);
        assert_eq!(machine.max_connections(), connections, "{mebibytes} MiB");
        assert_eq!(machine.log_buffer_bytes(), buffer, "{mebibytes} MiB");
    }
}

#[test]
fn the_board_is_read_by_journald_where_it_can_be_else_by_the_kernel() {
    use LogSource::{Journald, Kmsg};
    for (journald, journalctl, kmsg, choice) in [
        (true, true, true, Some(Journald)),
        (true, true, false, Some(Journald)),
        (true, false, true, Some(Kmsg)),
        (true, false, false, Some(Journald)),
        (false, true, true, Some(Kmsg)),
        (false, true, false, None),
    ] {
        assert_eq!(first_choice(journald, journalctl, kmsg), choice);
    }
}

#[test]
fn meminfo_is_read_and_nonsense_is_not_believed() {
    let real = "MemTotal:         439012 kB\nMemFree:   1 kB\n";
    assert_eq!(parse_memory_total(real), Some(439_012 * 1024));
    for nonsense in ["", "MemTotal: lots kB", "MemTotal: 18446744073709551615 kB"] {
        assert_eq!(parse_memory_total(nonsense), None, "{nonsense}");
    }
}

#[test]
fn workers_follow_the_cores_up_to_four() {
    for (cores, workers) in [(1, 1), (3, 3), (64, 4)] {
        let machine = Machine {
            cores,
            ..machine(MIB)
        };
        assert_eq!(machine.workers(), workers);
    }
}
