//! What must hold of a journal's reader whatever it is given. The fuzz targets run these functions on what the fuzzer
//! comes up with, `tests/damage` on the corpus that lies beside.

use postern::clock::Timestamp;
use postern::ids::{ClientKey, Id, Interface};
use postern::journal::format::{FRAMES_START, Frame, HEADER_LEN, MARKER, Salt, encode, headers};
use postern::journal::replay::{Header, Piece, Pieces, ReplayReport, Unreadable, replay as read};
use postern::journal::{PasswordOrigin, Record};
use std::ops::Range;
use std::time::Duration;

/// Any bytes at all, once as they are, and once as the payloads of frames that verify.
pub fn replay(data: &[u8]) {
    holds_together(data);
    holds_together(&framed(data));
}

/// Records, then mutations, both made out of `data`: what the mutations have left alone comes back.
pub fn damage(data: &[u8]) {
    let mut input = Input(data);
    let salt = Salt::new(input.bytes());
    let mut frames = Vec::new();
    for number in 0..input.byte() % 48 {
        frames.push(input.frame(number, salt));
    }
    let mut file = Tracked::new(headers(salt).to_vec());
    for frame in &frames {
        file.append(frame);
    }
    for _ in 0..input.byte() % 16 {
        input.mutate(&mut file);
    }
    untouched_frames_come_back(&file, &frames, salt);
    holds_together(&file.bytes);
}

/// Everything that can be said of a reading without knowing what was written.
fn holds_together(bytes: &[u8]) {
    let mut records = Vec::new();
    let report = match read(bytes, &mut |record| records.push(record)) {
        Ok(report) => report,
        Err(Unreadable::Version { .. }) => return,
        Err(Unreadable::Header) => {
            assert!(records.is_empty());
            return;
        }
    };
    assert_eq!(report.valid_len + report.cut_bytes, bytes.len());
    assert_eq!(report.records, records.len() as u64);
    assert!(report.damaged_bytes <= bytes.len().max(FRAMES_START));
    let Some(salt) = report.salt else {
        assert!(records.is_empty());
        return;
    };
    let start = Header::read(bytes).expect("it was read before").len;
    covered(bytes, start, salt);
    let unknown = covered(&report.unknown, 0, salt);
    assert_eq!(unknown as u64, report.unknown_records);

    // The torn tail is nothing: cutting it changes nothing.
    let (cut, cut_report) = again(&bytes[..report.valid_len]);
    assert_eq!(cut, records);
    assert_eq!(cut_report.cut_bytes, 0);
    assert_eq!(cut_report.damaged_bytes, report.damaged_bytes);

    // A rewritten file says the same, and nothing of it is damaged.
    let new = Salt::new(*b"anew");
    let mut rewritten = headers(new).to_vec();
    for record in &records {
        encode(record, new, &mut rewritten).expect("it came out of a frame");
    }
    for piece in Pieces::new(&report.unknown, 0, salt) {
        if let Piece::Frame { frame, .. } = piece {
            frame.write(new, &mut rewritten);
        }
    }
    let (same, rewritten_report) = again(&rewritten);
    assert_eq!(same, records);
    assert_eq!(rewritten_report.unknown_records, report.unknown_records);
    assert_eq!(rewritten_report.newest_mark, report.newest_mark);
    let torn = (rewritten_report.damaged_bytes, rewritten_report.cut_bytes);
    assert_eq!(torn, (0, 0));
}

fn again(bytes: &[u8]) -> (Vec<Record>, ReplayReport) {
    let mut records = Vec::new();
    let report = read(bytes, &mut |record| records.push(record)).expect("it was read before");
    (records, report)
}

/// The number of frames, after making sure that frames and gaps are all of the file, that each frame verifies, and
/// that each record has only one way to be written.
fn covered(bytes: &[u8], start: usize, salt: Salt) -> usize {
    let (mut end, mut count, mut after_gap) = (start, 0, false);
    for piece in Pieces::new(bytes, start, salt) {
        match piece {
            Piece::Gap { at, len } => {
                assert!(at == end && len > 0 && !after_gap);
                (end, after_gap) = (at + len, true);
            }
            Piece::Torn { at, len } => {
                assert!(at == end && len > 0 && !after_gap && at + len == bytes.len());
                (end, after_gap) = (at + len, true);
            }
            Piece::Frame { at, frame } => {
                // Behind the last piece, or reaching out of it.
                assert!(at == end || (at < end && at + frame.len() > end && !after_gap));
                (end, after_gap) = (at + frame.len(), false);
                count += 1;
                assert_eq!(Frame::parse(&bytes[at..], salt), Some(frame));
                let mut written = Vec::new();
                match frame.record() {
                    Some(record) => encode(&record, salt, &mut written).expect("it fits"),
                    None => frame.write(salt, &mut written),
                }
                assert_eq!(written, bytes[at..end]);
            }
        }
    }
    assert_eq!(end.min(bytes.len()), bytes.len());
    count
}

fn untouched_frames_come_back(file: &Tracked, frames: &[Vec<u8>], salt: Salt) {
    let whole = headers(salt);
    let second = file.bytes.get(HEADER_LEN..FRAMES_START) == Some(&whole[HEADER_LEN..]);
    let first = file.bytes.get(..HEADER_LEN) == Some(&whole[..HEADER_LEN]);
    let found = match Header::read(&file.bytes) {
        Ok(header) => header.salt.map(|salt| (header.len, salt)),
        Err(Unreadable::Version { .. }) => return,
        Err(Unreadable::Header) => {
            assert!(!first && !second);
            return;
        }
    };
    // What lies where the headers belong is theirs.
    let begin = if second { FRAMES_START } else { 0 };
    let mut expected = file.untouched(frames, begin);
    let Some((start, found)) = found else {
        // Cut within the first copy, behind whose magic there is room for one small record.
        assert!(expected.len() < 2 && !first && !second);
        return;
    };
    if found != salt {
        // Another header that verifies has got in by a splice. Checksums tell damage, not forgery.
        return;
    }
    expected.reverse();
    let mut forged = false;
    for piece in Pieces::new(&file.bytes, start, salt) {
        if let Piece::Frame { at, frame } = piece {
            let bytes = &file.bytes[at..at + frame.len()];
            forged |= !frames.iter().any(|frame| frame == bytes);
            if expected.last() == Some(&bytes) {
                expected.pop();
            }
        }
    }
    // By a chance of one in four thousand million, or a fuzzer that sees comparisons.
    assert!(expected.is_empty() || forged, "{} are lost", expected.len());
}

/// A file of which it is known which bytes have stayed as they were written, wherever they are now.
struct Tracked {
    bytes: Vec<u8>,
    written: Vec<u8>,
    /// For each byte where in `written` it was. Its value may have been changed since.
    origins: Vec<Option<usize>>,
    /// Where in `written` each frame begins.
    starts: Vec<usize>,
}

impl Tracked {
    fn new(header: Vec<u8>) -> Self {
        Self {
            origins: (0..header.len()).map(Some).collect(),
            written: header.clone(),
            bytes: header,
            starts: Vec::new(),
        }
    }

    fn append(&mut self, frame: &[u8]) {
        let start = self.written.len();
        self.starts.push(start);
        self.written.extend_from_slice(frame);
        self.bytes.extend_from_slice(frame);
        self.origins.extend((start..self.written.len()).map(Some));
    }

    fn part(&self, range: Range<usize>) -> Vec<(u8, Option<usize>)> {
        let origins = self.origins[range.clone()].iter().copied();
        self.bytes[range].iter().copied().zip(origins).collect()
    }

    fn replace(&mut self, range: Range<usize>, by: Vec<(u8, Option<usize>)>) {
        let (bytes, origins): (Vec<_>, Vec<_>) = by.into_iter().unzip();
        self.bytes.splice(range.clone(), bytes);
        self.origins.splice(range, origins);
    }

    /// The frames of which every byte is there and in its place, behind `begin`, in the order in which they lie.
    fn untouched<'a>(&self, frames: &'a [Vec<u8>], begin: usize) -> Vec<&'a [u8]> {
        let mut found = Vec::new();
        for at in begin..self.bytes.len() {
            let begins = self.origins[at].and_then(|o| self.starts.binary_search(&o).ok());
            let Some(frame) = begins.map(|number| &frames[number]) else {
                continue;
            };
            let lasts = (0..frame.len()).all(|i| {
                let origin = self.origins.get(at + i).copied().flatten();
                origin == self.origins[at].map(|start| start + i) && self.bytes[at + i] == frame[i]
            });
            if lasts {
                found.push(frame.as_slice());
            }
        }
        found
    }
}

/// The fuzzer's bytes, taken one after the other; zeros when they are used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Up to `limit`, which is not among them.
    fn below(&mut self, limit: usize) -> usize {
        usize::from(u16::from_le_bytes(self.bytes())) % limit.max(1)
    }

    fn id(&mut self, number: u8) -> Id {
        let mut id = [self.byte(); 16];
        id[0] = number;
        Id(id)
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_secs(u64::from(u32::from_le_bytes(self.bytes())))
    }

    fn client(&mut self) -> ClientKey {
        let kind = self.byte();
        let interface = if kind < 128 {
            Interface::NONE
        } else {
            Interface::named("eth0").expect("a name")
        };
        match kind % 3 {
            0 => ClientKey::V4(self.bytes()),
            1 => ClientKey::V6(self.bytes(), interface),
            _ => ClientKey::Network(self.bytes(), interface),
        }
    }

    fn frame(&mut self, number: u8, salt: Salt) -> Vec<u8> {
        let record = match self.byte() % 10 {
            0 => Record::TokenRevoked {
                id: self.id(number),
                expires: self.time(),
            },
            1 => Record::RefreshUsed {
                id: self.id(number),
                used: self.time(),
                expires: self.time(),
            },
            2 => Record::FamilyRevoked {
                family: self.id(number),
                expires: self.time(),
            },
            3 => Record::Password {
                generation: u32::from(number),
                origin: PasswordOrigin::Changed,
                at: self.time(),
                hash: "$2b$12$".repeat(usize::from(self.byte() % 30)),
                spared: (self.byte() % 2 == 1).then(|| (self.id(number), self.time())),
            },
            4 => Record::LockOut {
                client: self.client(),
                until: self.time(),
            },
            5 => Record::LockOutCleared {
                client: self.client(),
            },
            6 => Record::Mark { at: self.time() },
            7 => Record::Lifetime {
                longest: Duration::from_secs(self.time().as_secs()),
            },
            8 => Record::Proven {
                client: self.client(),
                until: self.time(),
                account: "admin".into(),
            },
            _ => {
                let payload = vec![self.byte(); usize::from(self.byte())];
                return frame(200, &payload, salt);
            }
        };
        let mut bytes = Vec::new();
        encode(&record, salt, &mut bytes).expect("the hash is short");
        bytes
    }

    fn mutate(&mut self, file: &mut Tracked) {
        let len = file.bytes.len();
        let (op, at) = (self.byte(), self.below(len));
        let to = (at + self.below(700)).min(len);
        match op % 8 {
            0 => {
                let mask = 1 << (self.byte() % 8);
                file.bytes[at..to.min(at + 1)]
                    .iter_mut()
                    .for_each(|byte| *byte ^= mask);
            }
            1 => file.replace(at..len, Vec::new()),
            2 => file.replace(at..to, Vec::new()),
            3 => file.bytes[at..to].fill(0),
            4 => file.bytes[at..to].fill(self.byte()),
            5 => {
                let noise: [u8; 24] = self.bytes();
                file.replace(at..at, noise.map(|byte| (byte, None)).to_vec());
            }
            6 => {
                let copied = file.part(at..to);
                let target = self.below(len);
                file.replace(target..target, copied);
            }
            _ => {
                // Two sectors take each other's place.
                let one = at / SECTOR * SECTOR;
                let other = to / SECTOR * SECTOR;
                if one + SECTOR <= other && other + SECTOR <= len {
                    let (first, second) = (
                        file.part(one..one + SECTOR),
                        file.part(other..other + SECTOR),
                    );
                    file.replace(one..one + SECTOR, second);
                    file.replace(other..other + SECTOR, first);
                }
            }
        }
    }
}

/// The bytes as payloads: a salt, then each time a type, a length and as many bytes.
fn framed(data: &[u8]) -> Vec<u8> {
    let mut input = Input(data);
    let salt = Salt::new(input.bytes());
    let mut file = headers(salt).to_vec();
    while !input.0.is_empty() {
        let (kind, len) = (input.byte(), usize::from(input.byte()));
        let (payload, rest) = input.0.split_at(len.min(input.0.len()));
        input.0 = rest;
        file.extend_from_slice(&frame(kind, payload, salt));
    }
    file
}

/// A frame of any type that verifies, by what the drawing in `format` says and not by its code.
fn frame(kind: u8, payload: &[u8], salt: Salt) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("its length was a byte");
    let mut frame = [&[MARKER, kind, length], payload].concat();
    let header = headers(salt);
    let mut crc = !u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
    for byte in &frame {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    frame.extend_from_slice(&(!crc).to_le_bytes());
    frame
}

/// What a card loses at once.
const SECTOR: usize = 512;
