use std::io::Write;

use super::*;
use crate::clock::SystemTimeSource;
use crate::config::LineFormat;
use crate::logs::Filter;
use crate::logs::tests::wait_for;

#[test]
fn a_file_source_runs_reports_itself_and_stops_promptly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    std::fs::write(&path, "old\n").unwrap();
    let ring = Arc::new(Ring::new(1 << 20, "b".into(), Box::new(|| ())));
    let clock = Arc::new(Clock::new(Arc::new(SystemTimeSource::new()), None));
    let specs = [
        LogSource::File {
            path: path.clone(),
            name: "app".into(),
            format: LineFormat::Raw,
        },
        LogSource::File {
            path: folder.path().join("missing.log"),
            name: "missing".into(),
            format: LineFormat::Raw,
        },
    ];
    let mut sources = Sources::start(&specs, &ring, &clock).unwrap();
    wait_for(|| {
        let states = sources.states();
        states[0].state == "following" && states[1].state == "waiting for the file"
    });
    let long = "x".repeat(70_000);
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(format!("new\n{long}\n").as_bytes()).unwrap();
    wait_for(|| sources.states()[0].entries == 2);
    let filter = Filter::new(Some("app"), None, None).unwrap();
    let entries = ring.recent(10, None, &filter);
    let entry = |n: usize| serde_json::from_str::<serde_json::Value>(&entries[n]).unwrap();
    assert_eq!(entry(0)["message"], "new");
    assert_eq!(entry(1)["message"], "x".repeat(65_536));
    assert_eq!(
        entry(1)["fields"],
        serde_json::json!({"truncated": true, "bytes": 70_000})
    );
    let begun = std::time::Instant::now();
    sources.stop();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(sources.states()[0].state, "stopped");
}

#[test]
fn an_entry_that_means_nothing_is_told_and_the_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Arc::new(Ring::new(1 << 20, "b".into(), Box::new(|| ())));
    let clock = Arc::new(Clock::new(Arc::new(SystemTimeSource::new()), None));
    let specs = [
        LogSource::Unusable {
            entry: "jurnald".into(),
            problem: "is not a log source".into(),
        },
        LogSource::File {
            path: folder.path().join("app.log"),
            name: "app".into(),
            format: LineFormat::Raw,
        },
    ];
    let sources = Sources::start(&specs, &ring, &clock).unwrap();
    wait_for(|| sources.states()[1].state == "waiting for the file");
    let unusable = &sources.states()[0];
    assert_eq!(
        (unusable.name.as_str(), unusable.state),
        ("jurnald", "error")
    );
    assert_eq!(unusable.last_error.as_deref(), Some("is not a log source"));
}
