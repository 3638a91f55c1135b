use super::*;
use std::thread;

const SHOWN: &str = "55:B6:5A:F3:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:4F";

fn board(name: &str) -> BoardAddress {
    BoardAddress::parse(name).unwrap()
}

#[test]
fn a_fingerprint_is_read_as_it_is_printed_and_without_colons() {
    let fingerprint: CertificateFingerprint = SHOWN.parse().unwrap();
    assert_eq!(fingerprint.to_string(), SHOWN);
    for text in [
        SHOWN.replace(':', ""),
        SHOWN.to_lowercase(),
        format!("SHA-256 {SHOWN}"),
        format!("SHA256:{SHOWN}"),
    ] {
        assert_eq!(text.parse(), Ok(fingerprint), "{text}");
    }
    for text in [
        "",
        "55:B6",
        &SHOWN[1..],
        &SHOWN.replace('F', "G"),
        &format!("{SHOWN}:00"),
    ] {
        assert_eq!(
            text.parse::<CertificateFingerprint>(),
            Err(InvalidFingerprint),
            "{text}"
        );
    }
}

#[test]
fn what_is_kept_of_a_board_is_found_again_and_other_lines_stay() {
    let folder = tempfile::tempdir().unwrap();
    let folder = DeskFolder::at(folder.path().to_owned());
    let stop = StopSignal::default();
    assert_eq!(look_up(&folder, &board("a")), Ok(None));
    std::fs::write(folder.path(FILE), "# by hand\nb:8443 nonsense\n").unwrap();
    let (one, two) = (
        CertificateFingerprint::of(b"1"),
        CertificateFingerprint::of(b"2"),
    );
    remember(&folder, &board("a"), one, &stop).unwrap();
    let known = look_up(&folder, &board("a")).unwrap().unwrap();
    assert_eq!((known.fingerprint, known.line), (one, 3));
    remember(&folder, &board("a"), two, &stop).unwrap();
    let known = look_up(&folder, &board("a")).unwrap().unwrap();
    assert_eq!((known.fingerprint, known.line), (two, 3));
    let text = std::fs::read_to_string(folder.path(FILE)).unwrap();
    assert!(text.starts_with("# by hand\nb:8443 nonsense\n"), "{text}");
    // Neither a longer name nor another port is this board.
    assert_eq!(look_up(&folder, &board("aa")), Ok(None));
    assert_eq!(look_up(&folder, &board("a:1")), Ok(None));
    // A line that cannot be understood is no first contact.
    let error = look_up(&folder, &board("b")).unwrap_err();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn many_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = DeskFolder::at(folder.path().to_owned());
    thread::scope(|scope| {
        for index in 0..16_u8 {
            let folder = &folder;
            scope.spawn(move || {
                let board = board(&format!("board-{index}"));
                remember(
                    folder,
                    &board,
                    CertificateFingerprint::of(&[index]),
                    &StopSignal::default(),
                )
                .unwrap();
            });
        }
    });
    for index in 0..16_u8 {
        let known = look_up(&folder, &board(&format!("board-{index}"))).unwrap();
        assert_eq!(
            known.unwrap().fingerprint,
            CertificateFingerprint::of(&[index])
        );
    }
}
