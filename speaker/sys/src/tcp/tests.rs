//! Between real sockets on the loopback interface, in both families.

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

/// What should happen happens in much less; what must not happen is watched for as long.
const A_WHILE: Duration = Duration::from_millis(300);
/// For what TCP has to send again.
const LONG: Duration = Duration::from_secs(10);

const BOTH: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

fn key(text: &str) -> Md5Key {
    Md5Key::new(text.as_bytes()).expect("a key")
}

fn options() -> Options {
    Options {
        hops: Hops::Any,
        md5: None,
        device: None,
        user_timeout: None,
    }
}

fn signed(text: &str) -> Options {
    Options {
        md5: Some(key(text)),
        ..options()
    }
}

fn secured() -> Hops {
    Hops::Secured(NonZeroU8::MIN)
}

fn listen(on: IpAddr) -> (Listener, SocketAddr) {
    let listener = Listener::open(SocketAddr::new(on, 0), None).expect("listens");
    let address = listener.local_address().expect("an address");
    (listener, address)
}

/// Dials the listener and accepts: both ends of one connection.
async fn join(listener: &Listener, at: SocketAddr, options: &Options) -> (TcpStream, TcpStream) {
    let dialled = dial(at, Some(at.ip()), options);
    let (dialled, accepted) = soon(async { tokio::join!(dialled, listener.accept()) }).await;
    (dialled.expect("connected"), accepted.expect("accepted").0)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("in time")
}

/// The bytes cross from one end to the other.
async fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"BGP").await.expect("written");
    let mut read = [0; 3];
    soon(to.read_exact(&mut read)).await.expect("read");
    assert_eq!(&read, b"BGP");
}

#[tokio::test]
async fn connects_from_the_source_with_everything_set() {
    for on in BOTH {
        let (listener, at) = listen(on);
        let wanted = Options {
            hops: secured(),
            md5: None,
            device: Device::new("lo"),
            user_timeout: Some(Duration::from_secs(20)),
        };
        let (dialled, accepted) = join(&listener, at, &wanted).await;
        apply(&accepted, &wanted).expect("applied");
        assert_eq!(dialled.local_addr().expect("an address").ip(), on);
        for end in [&dialled, &accepted] {
            let socket = SockRef::from(end);
            assert!(socket.tcp_nodelay().expect("read"));
            let user_timeout = socket.tcp_user_timeout().expect("read");
            assert_eq!(user_timeout, wanted.user_timeout);
            let (class, hops) = if on.is_ipv4() {
                (socket.tos_v4(), socket.ttl_v4())
            } else {
                (socket.tclass_v6(), socket.unicast_hops_v6())
            };
            assert_eq!((class.expect("read"), hops.expect("read")), (0xc0, 255));
        }
    }
}

#[tokio::test]
async fn peers_that_share_a_key_connect() {
    for on in BOTH {
        let (listener, at) = listen(on);
        listener
            .set_md5(Peers::host(on), Some(&key("secret")))
            .expect("key set");
        let (mut dialled, mut accepted) = join(&listener, at, &signed("secret")).await;
        pass(&mut dialled, &mut accepted).await;
        pass(&mut accepted, &mut dialled).await;
    }
}

#[tokio::test]
async fn wrong_missing_or_unexpected_keys_never_connect() {
    for on in BOTH {
        let (with_key, signed_at) = listen(on);
        with_key
            .set_md5(Peers::host(on), Some(&key("secret")))
            .expect("key set");
        let (_without_key, plain_at) = listen(on);
        for (at, options) in [
            (signed_at, signed("other")),
            (signed_at, options()),
            (plain_at, signed("secret")),
        ] {
            let connected = timeout(A_WHILE, dial(at, None, &options)).await;
            assert!(connected.is_err(), "{connected:?}");
        }
        assert!(timeout(A_WHILE, with_key.accept()).await.is_err());
    }
}

#[tokio::test]
async fn key_of_a_prefix_is_for_all_its_peers_and_nobody_else() {
    for (on, prefix, other) in [
        (BOTH[0], "127.0.0.0", "10.0.0.0"),
        (BOTH[1], "::", "fd00::"),
    ] {
        let length = if on.is_ipv4() { 8 } else { 64 };
        let peers = |address: &str| {
            let address = address.parse().expect("an address");
            Peers::prefix(address, length).expect("a prefix")
        };
        let (listener, at) = listen(on);
        listener
            .set_md5(peers(other), Some(&key("another")))
            .expect("key set");
        join(&listener, at, &options()).await;
        listener
            .set_md5(peers(prefix), Some(&key("secret")))
            .expect("key set");
        join(&listener, at, &signed("secret")).await;
        assert!(timeout(A_WHILE, dial(at, None, &options())).await.is_err());
        for _ in 0..2 {
            let removed = listener.set_md5(peers(prefix), None);
            removed.expect("removed, or not there any more");
        }
        join(&listener, at, &options()).await;
    }
}

#[tokio::test]
async fn new_key_on_the_listener_leaves_what_stands_and_counts_for_what_comes() {
    for on in BOTH {
        let (listener, at) = listen(on);
        let set = |text| listener.set_md5(Peers::host(on), Some(&key(text)));
        set("old").expect("key set");
        let (mut dialled, mut accepted) = join(&listener, at, &signed("old")).await;
        set("new").expect("key changed");
        pass(&mut dialled, &mut accepted).await;
        join(&listener, at, &signed("new")).await;
        let old = timeout(A_WHILE, dial(at, None, &signed("old"))).await;
        assert!(old.is_err());
    }
}

#[tokio::test]
async fn key_of_a_live_connection_changes_without_a_new_one() {
    for on in BOTH {
        let (listener, at) = listen(on);
        listener
            .set_md5(Peers::host(on), Some(&key("old")))
            .expect("key set");
        let (mut dialled, mut accepted) = join(&listener, at, &signed("old")).await;
        set_md5(&dialled, Some(&key("new"))).expect("key changed");
        // Nothing arrives until the other side has changed as well; then TCP sends it again.
        dialled.write_all(b"BGP").await.expect("written");
        let mut read = [0; 3];
        let lost = timeout(A_WHILE, accepted.read_exact(&mut read)).await;
        assert!(lost.is_err());
        set_md5(&accepted, Some(&key("new"))).expect("key changed");
        soon(accepted.read_exact(&mut read)).await.expect("read");
        pass(&mut accepted, &mut dialled).await;
    }
}

#[tokio::test]
async fn secured_connection_hears_nobody_from_further_away() {
    for on in BOTH {
        let (listener, at) = listen(on);
        let (mut dialled, mut accepted) = join(&listener, at, &options()).await;
        set_hops(&accepted, secured()).expect("secured");
        // TTL 1 is what a packet has left that a distant sender aimed at us.
        set_hops(&dialled, Hops::Direct).expect("lowered");
        dialled.write_all(b"BGP").await.expect("written");
        let mut read = [0; 3];
        let heard = timeout(A_WHILE, accepted.read_exact(&mut read)).await;
        assert!(heard.is_err());
        set_hops(&dialled, secured()).expect("raised");
        soon(accepted.read_exact(&mut read)).await.expect("read");
        assert_eq!(&read, b"BGP");
    }
}

#[tokio::test]
async fn secured_dial_needs_an_answer_with_full_ttl() {
    for on in BOTH {
        let secured = Options {
            hops: secured(),
            ..options()
        };
        let ordinary = tokio::net::TcpListener::bind((on, 0)).await.expect("bound");
        let at = ordinary.local_addr().expect("an address");
        assert!(timeout(A_WHILE, dial(at, None, &secured)).await.is_err());
        let (listener, at) = listen(on);
        join(&listener, at, &secured).await;
    }
}

#[tokio::test]
async fn unread_bytes_show_as_unacknowledged() {
    for on in BOTH {
        let (listener, at) = listen(on);
        let (dialled, mut accepted) = join(&listener, at, &options()).await;
        let mut written = 0;
        while let Ok(length) = dialled.try_write(&[0; 65_536]) {
            written += length;
        }
        let stuck = unacknowledged(&dialled).expect("asked");
        assert!(stuck > 0 && stuck <= written, "{stuck} of {written}");
        soon(accepted.read_exact(&mut vec![0; written]))
            .await
            .expect("read");
        let drained = async {
            while unacknowledged(&dialled).expect("asked") > 0 {
                tokio::task::yield_now().await;
            }
        };
        soon(drained).await;
    }
}

#[tokio::test]
async fn what_is_not_on_this_node_is_told_from_other_failures() {
    for (on, source) in [(BOTH[0], "192.0.2.1"), (BOTH[1], "2001:db8::1")] {
        let (_listener, at) = listen(on);
        let source = source.parse().expect("an address");
        let error = dial(at, Some(source), &options()).await;
        assert!(matches!(error, Err(DialError::NotHere { .. })), "{error:?}");
        let elsewhere = Options {
            device: Device::new("nowhere"),
            ..options()
        };
        let error = dial(at, None, &elsewhere).await;
        assert!(matches!(error, Err(DialError::NotHere { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn port_that_another_has_is_said() {
    for on in BOTH {
        let (_listener, at) = listen(on);
        let error = Listener::open(at, None).expect_err("in use");
        assert!(
            error.to_string().ends_with("another process has the port"),
            "{error}"
        );
    }
}

#[test]
fn kernel_says_whether_it_has_the_authentication_option() {
    has_authentication_option().expect("asked");
}

#[test]
fn keys_have_their_bounds_and_are_not_shown() {
    assert_eq!(Md5Key::new(b""), Err(Md5KeyError::Empty));
    assert_eq!(
        Md5Key::new(&[b'x'; 81]),
        Err(Md5KeyError::TooLong { length: 81 })
    );
    assert!(Md5Key::new(&[b'x'; 80]).is_ok());
    assert_eq!(format!("{:?}", key("secret")), "Md5Key(…)");
}

#[test]
fn devices_are_named_as_linux_names_them() {
    for odd in ["", ".", "..", "a/b", "a b", "0123456789abcdef"] {
        assert_eq!(Device::new(odd), None, "{odd:?}");
    }
    assert_eq!(Device::new("eth0").expect("a name").to_string(), "eth0");
}

#[test]
fn each_distance_has_its_ttl() {
    let hops = |count| Hops::Secured(NonZeroU8::new(count).expect("not zero"));
    let ttl = [Hops::Direct, Hops::Any, hops(1), hops(2), hops(255)]
        .map(|hops| (hops.sent(), hops.least_received()));
    assert_eq!(ttl, [(1, 0), (255, 0), (255, 255), (255, 254), (255, 1)]);
}
