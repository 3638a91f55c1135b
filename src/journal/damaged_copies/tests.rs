use super::super::storage::MemoryStorage;
use super::*;

fn kept(disk: &MemoryStorage) -> Vec<Vec<u8>> {
    let files = disk.files().into_iter();
    let kept = files.filter(|(name, _)| name.starts_with("journal.damaged."));
    kept.map(|(_, bytes)| bytes).collect()
}

#[test]
fn the_first_damaged_journals_and_the_newest_are_kept_and_no_more() {
    let disk = MemoryStorage::new();
    for number in 0..20_u8 {
        disk.remove("journal").unwrap();
        disk.create("journal").unwrap().write(&[number]).unwrap();
        let first = keep_copy(&disk, "journal", &[number], WhenFull::ReplaceLast).unwrap();
        let place = MOST_KEPT.min(usize::from(number) + 1);
        let name = format!("journal.damaged.{place}");
        assert_eq!(first, KeptFile::at(name.clone(), true));
        // Found again, since it could not be put right.
        let again = keep_copy(&disk, "journal", &[number], WhenFull::Refuse).unwrap();
        assert_eq!(again, KeptFile::at(name, false));
    }
    let expected: Vec<Vec<u8>> = (0..7).chain([19]).map(|number| vec![number]).collect();
    assert_eq!(kept(&disk), expected);
    let refused = keep_copy(&disk, "journal", &[20], WhenFull::Refuse).unwrap_err();
    assert!(refused.to_string().contains("remove some"), "{refused}");
    assert_eq!(kept(&disk), expected);
}
