use std::collections::HashSet;

use super::*;
use crate::auth::Proof;

const OWNER: ClientKey = ClientKey::V4([192, 0, 2, 1]);

/// Knows a few addresses, and holds every session for alive.
#[derive(Default)]
struct Known(HashSet<ClientKey>);

impl Standing for Known {
    fn is_proven(&self, client: ClientKey) -> bool {
        self.0.contains(&client)
    }

    fn is_alive(&self, principal: &Principal) -> bool {
        principal.proof != (Proof::Basic { generation: 0 })
    }
}

fn principal(generation: u32) -> Principal {
    Principal {
        user: "admin".into(),
        proof: Proof::Basic { generation },
    }
}

fn stranger(n: u8) -> ClientKey {
    ClientKey::V4([198, 51, 100, n])
}

/// A server whose connections are kept here.
struct Server {
    admission: Arc<Admission>,
    judge: Known,
    places: HashMap<ConnectionId, ConnectionPermit>,
    tokens: u64,
    now: Instant,
}

impl Server {
    fn new(max_total: usize, max_per_client: usize) -> Self {
        Self {
            admission: Admission::new(max_total, max_per_client),
            judge: Known::default(),
            places: HashMap::new(),
            tokens: 0,
            now: Instant::now(),
        }
    }

    /// Lets one in, at another worker each time, and closes whoever gives way.
    fn enter(&mut self, client: ClientKey) -> Result<(u64, Option<u64>), ConnectionsFull> {
        self.tokens += 1;
        self.now += Duration::from_micros(1);
        let number = ConnectionId {
            worker: usize::from(self.tokens.to_le_bytes()[0]) % 3,
            token: self.tokens,
        };
        let (place, victim) =
            self.admission
                .enter(number, Some(client), true, &self.judge, self.now)?;
        if let Some(victim) = victim {
            assert!(self.places.remove(&victim).is_some(), "a living one");
        }
        self.places.insert(number, place);
        Ok((number.token, victim.map(|victim| victim.token)))
    }

    fn entered(&mut self, client: ClientKey) -> u64 {
        self.enter(client).expect("room").0
    }

    fn place(&mut self, token: u64) -> &mut ConnectionPermit {
        let found = self.places.iter_mut().find(|(n, _)| n.token == token);
        found.expect("here").1
    }

    fn is_here(&self, token: u64) -> bool {
        self.places.keys().any(|number| number.token == token)
    }

    fn is(&mut self, token: u64, conduct: ConnectionState) {
        let now = self.now;
        self.place(token).tell(conduct, now);
    }

    /// One that has signed in and waits.
    fn signed_in(&mut self, client: ClientKey) -> u64 {
        self.judge.0.insert(client);
        let token = self.entered(client);
        self.place(token).sign_in(&principal(1));
        self.is(token, ConnectionState::Idle);
        token
    }

    fn is_sound(&self) {
        let table = self.admission.table.lock();
        assert_eq!(table.seats.len(), self.places.len());
        assert_eq!(table.leaving, 0);
        assert_eq!(
            self.admission.total.load(Ordering::Relaxed),
            self.places.len()
        );
    }
}

#[test]
fn the_owner_stays_and_comes_in_whoever_floods() {
    for (strangers, conduct) in [
        (4, ConnectionState::Handshake),
        (16, ConnectionState::Handshake),
        (16, ConnectionState::Asking),
        (16, ConnectionState::Waiting),
        (200, ConnectionState::Idle),
        (200, ConnectionState::Asking),
    ] {
        let mut server = Server::new(64, 16);
        let open = server.signed_in(OWNER);
        let mut new = Vec::new();
        for n in 0..2000_u32 {
            let number = u8::try_from(n % strangers).unwrap();
            if let Ok((token, _)) = server.enter(stranger(number)) {
                server.is(token, conduct);
            }
            if n % 50 == 49 {
                // The handshake takes its time, and the flood goes on meanwhile.
                new.push(server.entered(OWNER));
            }
            if new.len() > 8 {
                let oldest = new.remove(0);
                assert!(server.is_here(oldest), "{strangers} {conduct:?}");
                server.places.retain(|number, _| number.token != oldest);
            }
        }
        assert!(server.is_here(open), "{strangers} {conduct:?}");
        assert!(new.iter().all(|token| server.is_here(*token)));
        server.is_sound();
    }
}

#[test]
fn a_stranger_gets_a_place_of_whoever_holds_most() {
    let mut server = Server::new(64, 16);
    for n in 0..64 {
        let token = server.entered(stranger(n % 4));
        server.is(token, ConnectionState::Asking);
    }
    let mine = server.entered(stranger(100));
    for _ in 0..100 {
        let _ = (0..4).map(|n| server.enter(stranger(n))).count();
    }
    assert!(server.is_here(mine));
    server.is_sound();
}

#[test]
fn of_the_fullest_who_keeps_the_server_waiting_goes_first_then_a_handshake() {
    let mut server = Server::new(5, 5);
    let [slow, busy, idle, fresh, fresher] = [(); 5].map(|()| server.entered(stranger(1)));
    server.is(idle, ConnectionState::Idle);
    server.is(busy, ConnectionState::Asking);
    server.is(slow, ConnectionState::Asking);
    server.now += SUSPECT;
    for (token, conduct) in [
        (fresher, ConnectionState::Handshake),
        (fresh, ConnectionState::Handshake),
        (busy, ConnectionState::Asking),
    ] {
        server.is(token, conduct);
        server.now += Duration::from_micros(1);
    }
    let mut gone = || server.enter(stranger(2)).expect("room").1;
    assert_eq!((gone(), gone()), (Some(slow), Some(fresher)));
    server.judge.0.insert(OWNER);
    let mut gone = || server.enter(OWNER).expect("room").1;
    // Then both hold as much, and a handshake goes before an idle one.
    let gone = [gone(), gone(), gone()];
    assert_eq!(gone, [Some(fresh), Some(fresher + 1), Some(idle)]);
    assert!(server.is_here(busy));
}

#[test]
fn equals_change_places_only_where_nobody_is_served() {
    let mut server = Server::new(2, 2);
    let (a, b) = (server.entered(stranger(1)), server.entered(stranger(2)));
    for conduct in [
        ConnectionState::Handshake,
        ConnectionState::Asking,
        ConnectionState::Waiting,
    ] {
        server.is(a, conduct);
        server.is(b, conduct);
        assert_eq!(
            server.enter(stranger(3)),
            Err(ConnectionsFull),
            "{conduct:?}"
        );
    }
    server.is(b, ConnectionState::Idle);
    let (c, gone) = server.enter(stranger(3)).expect("room");
    assert_eq!(gone, Some(b));
    // Nor does whoever would hold more than any other get in; a client's own idle one gives way to it.
    assert_eq!(server.enter(stranger(1)), Err(ConnectionsFull));
    server.is(a, ConnectionState::Idle);
    server.is(c, ConnectionState::Idle);
    assert_eq!(server.enter(stranger(1)).expect("room").1, Some(a));
}

#[test]
fn one_address_gets_its_share_and_sheds_its_own() {
    let mut server = Server::new(16, 4);
    let others: Vec<_> = (2..6).map(|n| server.entered(stranger(n))).collect();
    for token in &others {
        server.is(*token, ConnectionState::Idle);
    }
    let mine: Vec<_> = (0..4).map(|_| server.entered(stranger(1))).collect();
    assert_eq!(server.enter(stranger(1)), Err(ConnectionsFull));
    for token in mine.iter().rev() {
        server.is(*token, ConnectionState::Idle);
    }
    server.place(mine[1]).sign_in(&principal(1));
    server.place(mine[2]).sign_in(&principal(0));
    // The signed-in one last; a session that has ended makes nobody signed in.
    let mut gone = Vec::new();
    for _ in 0..4 {
        let (token, victim) = server.enter(stranger(1)).expect("room");
        server.is(token, ConnectionState::Asking);
        gone.push(victim.expect("its own"));
    }
    assert_eq!(gone.last(), Some(&mine[1]));
    assert!(mine.iter().all(|token| gone.contains(token)));
    assert!(others.iter().all(|token| server.is_here(*token)));
    server.is_sound();
}

#[test]
fn a_proxys_connections_hold_bytes_for_one_each_not_for_one_stranger() {
    let mut server = Server::new(64, 64);
    let judge = Known::default();
    let mut through_proxy = Vec::new();
    for token in 1000..1020 {
        let number = ConnectionId { worker: 0, token };
        let entered = server
            .admission
            .enter(number, Some(stranger(9)), false, &judge, server.now);
        let (mut place, _) = entered.expect("room");
        assert_eq!(place.hold(16 * 1024, &judge), Ok(vec![]));
        through_proxy.push(place);
    }
    // Somebody else fills what is left, and is the one who gives way.
    let mut refused = 0;
    for _ in 0..20 {
        let token = server.entered(stranger(2));
        if server.place(token).hold(16 * 1024, &judge).is_err() {
            server.places.retain(|number, _| number.token != token);
            refused += 1;
        }
    }
    assert_eq!(refused, 20 - (512 - 20 * 16) / 16);
    assert!(through_proxy.iter().all(ConnectionPermit::is_held));
}

#[test]
fn who_has_lost_the_place_knows_it_before_becoming_a_stream() {
    let mut server = Server::new(1, 1);
    let first = server.entered(stranger(1));
    let now = server.now;
    server.place(first).tell(ConnectionState::Idle, now);
    assert!(server.place(first).is_held());
    server.judge.0.insert(OWNER);
    let number = ConnectionId {
        worker: 7,
        token: 7,
    };
    let entered = server
        .admission
        .enter(number, Some(OWNER), true, &server.judge, server.now);
    let (owner, victim) = entered.expect("room");
    assert_eq!(victim.map(|victim| victim.token), Some(first));
    assert!(!server.place(first).is_held());
    assert!(owner.is_held());
}

#[test]
fn who_holds_most_before_signing_in_loses_it_and_the_proven_last() {
    let mut server = Server::new(64, 64);
    assert_eq!(server.admission.max_bytes, LEAST_BYTES);
    server.judge.0.insert(OWNER);
    let owner = server.entered(OWNER);
    let judge = Known(HashSet::from([OWNER]));
    assert_eq!(server.place(owner).hold(64 * 1024, &judge), Ok(vec![]));
    let modest = server.entered(stranger(1));
    assert_eq!(server.place(modest).hold(16 * 1024, &judge), Ok(vec![]));
    let mut greedy = Vec::new();
    for _ in 0..60 {
        let token = server.entered(stranger(2));
        if server.place(token).hold(16 * 1024, &judge).is_err() {
            server.places.retain(|number, _| number.token != token);
        } else {
            greedy.push(token);
        }
    }
    assert_eq!(greedy.len(), (512 - 64 - 16) / 16);
    // A newcomer who holds less than the greedy one gets it from him.
    let late = server.entered(stranger(3));
    let gone = server.place(late).hold(16 * 1024, &judge).expect("room");
    assert_eq!(gone.len(), 1);
    assert!(greedy.contains(&gone[0].token));
    assert_eq!(
        server
            .place(owner)
            .hold(80 * 1024, &judge)
            .map(|gone| gone.len()),
        Ok(1)
    );
    // It is given back.
    server.places.clear();
    let table = server.admission.table.lock();
    assert!(table.bytes.is_empty() && table.places.is_empty());
    assert_eq!((table.total_bytes, table.leaving), (0, 0));
}

#[test]
fn streams_stay_and_leave_half_of_the_local_socket_to_others() {
    let local = Admission::local(4);
    let judge = Known::default();
    let enter = |token| {
        let number = ConnectionId { worker: 0, token };
        local.enter(number, None, true, &judge, Instant::now())
    };
    let mut places: Vec<_> = (0..4).map(|n| enter(n).expect("room").0).collect();
    let streams: Vec<_> = places.iter_mut().map(ConnectionPermit::stream).collect();
    assert_eq!(streams, [true, true, false, false]);
    for place in &places {
        place.tell(ConnectionState::Stream, Instant::now());
    }
    assert!(enter(4).is_err());
    drop(places.remove(0));
    assert!(places[2].stream());
}
