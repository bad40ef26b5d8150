//! Whoever connects from a range, on the loopback interface, whose addresses are all of 127.0.0.0/8.

use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(10);

struct Rig {
    wants: watch::Sender<Peers>,
    told: watch::Receiver<Sessions>,
    end: watch::Sender<Option<Ending>>,
    port: u16,
}

fn range(length: u8) -> Desired {
    let mut settings = peer();
    let address = "127.0.0.0".parse().unwrap();
    settings.remote = model::Remote::Range(model::Cidr::new(address, length).unwrap());
    // TTL 1 is enough to get here.
    desired(settings, Secret::None)
}

fn named(desired: Desired) -> Peers {
    Arc::new(BTreeMap::from([(PeerName::new("leafs"), desired)]))
}

impl Rig {
    fn start(desired: Desired) -> Self {
        // A port that nobody had a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (wants, peers) = watch::channel(named(desired));
        let (sessions, told) = watch::channel(Sessions::new());
        let (end, ending) = watch::channel(None);
        let channels = Channels {
            peers,
            sessions,
            changes: watch::Sender::default(),
            wishes: watch::Sender::default(),
            statuses: watch::channel(Statuses::new()).1,
            ending,
            shutdown: CancellationToken::new(),
        };
        let settings = Settings {
            node: NodeName::new("n1"),
            port,
        };
        let metrics = Metrics::register(&mut Registry::default());
        tokio::spawn(run(settings, channels, metrics));
        Self {
            wants,
            told,
            end,
            port,
        }
    }

    async fn dial(&self, from: &str) -> TcpStream {
        let to = SocketAddr::new("127.0.0.1".parse().unwrap(), self.port);
        let dialling = async {
            loop {
                let socket = TcpSocket::new_v4().unwrap();
                let from = format!("{from}:0").parse().unwrap();
                socket.bind(from).unwrap();
                if let Ok(stream) = socket.connect(to).await {
                    return stream;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, dialling).await.unwrap()
    }

    async fn wait(&mut self, done: impl Fn(&Sessions) -> bool) {
        let waiting = self.told.wait_for(|sessions| done(sessions));
        let seen = timeout(SOON, waiting).await.is_ok();
        assert!(seen, "{:?}", self.told.borrow());
    }
}

/// The octets that are said first: 19 of a header with the type of an OPEN, or none.
async fn first_words(mut stream: TcpStream) -> (Vec<u8>, TcpStream) {
    let mut words = vec![0; 19];
    let read = timeout(SOON, stream.read(&mut words)).await.unwrap();
    words.truncate(read.unwrap_or(0));
    (words, stream)
}

fn name(address: &str) -> SessionName {
    let leafs = PeerName::new("leafs");
    SessionName::of_neighbor(&leafs, address.parse().unwrap())
}

const OPEN: u8 = 1;

#[tokio::test]
async fn each_that_connects_from_a_range_is_a_neighbour_of_its_own_and_no_other_is() {
    let mut rig = Rig::start(range(24));
    let mut streams = Vec::new();
    for from in ["127.0.0.2", "127.0.0.3"] {
        let (words, stream) = first_words(rig.dial(from).await).await;
        assert_eq!(words.get(18), Some(&OPEN), "{from}: {words:?}");
        streams.push(stream);
    }
    let (words, _) = first_words(rig.dial("127.0.1.2").await).await;
    assert!(words.is_empty(), "{words:?}");
    let both = [name("127.0.0.2"), name("127.0.0.3")];
    rig.wait(|sessions| sessions.keys().eq(&both)).await;
    // The range is not wanted any more.
    rig.wants.send(Peers::default()).unwrap();
    rig.wait(BTreeMap::is_empty).await;
    rig.end.send_replace(Some(Ending::Restarting));
}

#[tokio::test]
async fn a_range_that_becomes_shorter_keeps_those_that_are_still_in_it() {
    let mut rig = Rig::start(range(24));
    let (_, near) = first_words(rig.dial("127.0.0.2").await).await;
    let (_, far) = first_words(rig.dial("127.0.0.200").await).await;
    rig.wait(|sessions| sessions.len() == 2).await;
    rig.wants.send(named(range(25))).unwrap();
    let near_one = [name("127.0.0.2")];
    rig.wait(|sessions| sessions.keys().eq(&near_one)).await;
    rig.end.send_replace(Some(Ending::Restarting));
    drop((near, far));
}

#[tokio::test]
async fn a_range_has_a_bounded_number_of_neighbours() {
    let mut rig = Rig::start(range(16));
    let mut streams = Vec::new();
    for number in 0..NEIGHBORS {
        let stream = rig.dial(&format!("127.0.7.{number}")).await;
        let (words, stream) = first_words(stream).await;
        assert_eq!(words.get(18), Some(&OPEN));
        streams.push(stream);
    }
    let (words, _) = first_words(rig.dial("127.0.8.1").await).await;
    assert!(words.is_empty(), "{words:?}");
    rig.wait(|sessions| sessions.len() == NEIGHBORS).await;
    // One that is known may still come.
    let (words, _) = first_words(rig.dial("127.0.7.1").await).await;
    assert_eq!(words.get(18), Some(&OPEN));
    rig.end.send_replace(Some(Ending::Restarting));
}

#[tokio::test]
async fn a_range_whose_password_is_not_known_says_so_and_lets_nobody_in() {
    let mut desired = range(24);
    desired.secret = Secret::Missing;
    let mut rig = Rig::start(desired);
    let whole = SessionName::from(PeerName::new("leafs"));
    rig.wait(|sessions| sessions.contains_key(&whole)).await;
    let said = rig.told.borrow()[&whole].last_error.clone().unwrap();
    assert!(said.contains("password"), "{said}");
    let to = SocketAddr::new("127.0.0.1".parse().unwrap(), rig.port);
    assert!(TcpStream::connect(to).await.is_err());
    // It is known now, and is none.
    rig.wants.send(named(range(24))).unwrap();
    let (words, _) = first_words(rig.dial("127.0.0.2").await).await;
    assert_eq!(words.get(18), Some(&OPEN));
    let one = [name("127.0.0.2")];
    rig.wait(|sessions| sessions.keys().eq(&one)).await;
    rig.end.send_replace(Some(Ending::Restarting));
}

#[tokio::test]
async fn a_neighbour_that_has_no_session_for_a_while_is_forgotten() {
    let mut rig = Rig::start(range(24));
    let (_, stream) = first_words(rig.dial("127.0.0.2").await).await;
    drop(stream);
    let one = name("127.0.0.2");
    let has_failed = |sessions: &Sessions| sessions[&one].last_error.is_some();
    rig.wait(|sessions| sessions.contains_key(&one) && has_failed(sessions))
        .await;
    // From here on nothing comes from outside.
    tokio::time::pause();
    let started = Instant::now();
    let empty = rig.told.wait_for(BTreeMap::is_empty).await.is_ok();
    let waited = started.elapsed();
    assert!(empty && waited > Duration::from_secs(110), "{waited:?}");
    assert!(waited < Duration::from_secs(130), "{waited:?}");
    rig.end.send_replace(Some(Ending::Restarting));
}
