//! A cable between the desk and the board, to be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    board: Mutex<SocketAddr>,
    /// State of the generator of lengths after which a connection is cut; 0: none is.
    lengths: Mutex<u64>,
    cuts: AtomicUsize,
    over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    pub fn to(board: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            board: Mutex::new(board),
            lengths: Mutex::new(0),
            cuts: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), shared) = (client, accepting.clone()) else {
                    return;
                };
                thread::spawn(move || shared.carry(client));
            }
        });
        Self { address, shared }
    }

    /// From now on new connections lead there.
    pub fn lead_to(&self, board: SocketAddr) {
        *self.shared.board.lock() = board;
    }

    /// Cuts each further connection somewhere in the midst.
    pub fn cut_at_random(&self, seed: u64) {
        *self.shared.lengths.lock() = seed;
        self.cut();
    }

    pub fn cut_no_more(&self) {
        *self.shared.lengths.lock() = 0;
        self.cut();
    }

    /// Cuts what there is now.
    pub fn cut(&self) {
        for socket in self.shared.open.lock().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were cut at random.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        self.cut();
    }
}

impl Shared {
    fn carry(&self, mut client: TcpStream) {
        let board = *self.board.lock();
        // Nobody there: the client is hung up on.
        let Ok(mut server) = TcpStream::connect(board) else {
            return;
        };
        let clone = |socket: &TcpStream| socket.try_clone().expect("a clone");
        self.open.lock().extend([clone(&client), clone(&server)]);
        let (mut from, mut to) = (clone(&client), clone(&server));
        let up = thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let mut left = self.length();
        let mut piece = [0; 700];
        while let Ok(length @ 1..) = server.read(&mut piece) {
            let carried = length.min(left);
            if client.write_all(&piece[..carried]).is_err() {
                break;
            }
            left -= carried;
            if left == 0 {
                self.cuts.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        for socket in [client, server] {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let _ = up.join();
    }

    /// After how many bytes from the board the connection is cut: within the handshake at times, within a line mostly.
    fn length(&self) -> usize {
        let mut state = self.lengths.lock();
        if *state == 0 {
            return usize::MAX;
        }
        // Knuth's MMIX constants.
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((*state >> 33) % 12_000).expect("small") + 1
    }
}
