use super::*;

#[test]
fn this_machine_says_what_every_linux_says() {
    let board = BoardReader::default();
    let memory = board.memory().expect("memory");
    assert!(memory.available <= memory.total);
    let process = board.process().expect("a process");
    assert!(process.resident > 0 && process.resident < memory.total);
    assert!(process.threads >= 1 && process.descriptors >= 3);
    let load = board.load_average().expect("load");
    assert!(load.iter().all(|load| *load >= 0.0));
    assert!(board.uptime_seconds().is_some());
    let disk = disk(Path::new("/")).expect("disk");
    assert!(disk.available <= disk.total);
}

#[test]
fn a_clock_that_nobody_has_set_is_not_synchronised() {
    let synchronised = |files: &[(&str, &str)]| board(files).1.clock_synchronised();
    assert_eq!(synchronised(&[]), None);
    let clock = ("run/systemd/timesync/clock", "");
    assert_eq!(synchronised(&[clock]), Some(false));
    let set = ("run/systemd/timesync/synchronized", "");
    assert_eq!(board(&[clock, set]).1.clock_synchronised(), Some(true));
}

/// A board that shows these files.
fn board(files: &[(&str, &str)]) -> (tempfile::TempDir, BoardReader) {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("its folder");
        fs::write(path, text).expect("a file");
    }
    let board = BoardReader::under(folder.path());
    (folder, board)
}

#[test]
fn a_raspberry_pi_says_what_it_is_and_how_it_fares() {
    let (_folder, pi) = board(&[
        (
            "proc/device-tree/model",
            "Raspberry Pi 3 Model B Plus Rev 1.3\0",
        ),
        ("sys/class/thermal/thermal_zone0/temp", "48312\n"),
        (
            "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled",
            "50005\n",
        ),
        ("proc/loadavg", "0.52 0.58 0.59 1/467 12345\n"),
        (
            "proc/meminfo",
            "MemTotal:  949452 kB\nMemFree:  1 kB\nMemAvailable:  655360 kB\n",
        ),
    ]);
    assert_eq!(
        pi.model().as_deref(),
        Some("Raspberry Pi 3 Model B Plus Rev 1.3")
    );
    assert_eq!(pi.temperature(), Some(48.312));
    assert_eq!(pi.load_average(), Some([0.52, 0.58, 0.59]));
    assert_eq!(
        pi.memory().map(|memory| memory.available),
        Some(655_360 * 1024)
    );
    let throttling = pi.throttling().expect("flags");
    let holding = |flags: Vec<(&'static str, bool)>| -> Vec<&str> {
        assert_eq!(flags.len(), 4);
        flags
            .iter()
            .filter(|flag| flag.1)
            .map(|flag| flag.0)
            .collect()
    };
    assert_eq!(
        holding(throttling.now().collect()),
        ["under_voltage", "throttled"]
    );
    assert_eq!(
        holding(throttling.since_boot().collect()),
        ["under_voltage", "throttled"]
    );
}

#[test]
fn a_kernel_that_knows_of_under_voltage_alone_says_nothing_of_the_rest() {
    for (alarm, holds) in [("0\n", false), ("1\n", true)] {
        let (_folder, pi) = board(&[
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm),
        ]);
        let throttling = pi.throttling().expect("a flag");
        assert_eq!(
            throttling.now().collect::<Vec<_>>(),
            [("under_voltage", holds)]
        );
        assert_eq!(throttling.since_boot().count(), 0);
    }
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_absent() {
    let (_folder, empty) = board(&[]);
    assert_eq!(empty.model(), None);
    assert_eq!(empty.uptime_seconds(), None);
    assert_eq!(empty.load_average(), None);
    assert_eq!(empty.memory(), None);
    assert_eq!(empty.process(), None);
    assert_eq!(empty.temperature(), None);
    assert_eq!(empty.throttling(), None);
    let (_folder, odd) = board(&[
        ("proc/device-tree/model", "\0"),
        ("proc/uptime", "soon"),
        ("proc/loadavg", "0.1 NaN 0.2"),
        (
            "proc/meminfo",
            "MemTotal: many kB\nMemAvailable: 99999999999999999999 kB\n",
        ),
        ("sys/class/thermal/thermal_zone0/temp", "-274000"),
        (
            "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled",
            "fine",
        ),
    ]);
    assert_eq!(odd.model(), None);
    assert_eq!(odd.uptime_seconds(), None);
    assert_eq!(odd.load_average(), None);
    assert_eq!(odd.memory(), None);
    assert_eq!(odd.temperature(), None);
    assert_eq!(odd.throttling(), None);
    assert_eq!(disk(Path::new("/nowhere/at/all")), None);
}
