//! Without this ground nothing that stands on it proves anything.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{self, CLIENT, POD_PORT, ROUTED_CLIENT};
use lab::capture::ARP_AND_ND;
use lab::runner::Scenario;
use lab::{Capture, Lab, Prober, Topology, eventually, http, probe};

const SOON: Duration = Duration::from_secs(20);
const ONE_REQUEST: Duration = Duration::from_secs(1);
const API_SERVER_SOCKET: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 2), 6443));

pub(crate) fn scenarios() -> Vec<Scenario> {
    let ground = Topology {
        seamark: false,
        ..Topology::default()
    };
    vec![
        Scenario::new(
            "the lab's own ground holds: kube-proxy serves a nodePort by both families",
            serves_a_node_port,
        )
        .on(ground.clone()),
        Scenario::new(
            "the lab's own tools hold: captures, probes, moving pods, a cut API server",
            tools_hold,
        )
        .on(ground),
        Scenario::new(
            "both binaries become ready with the roles that ship, and again after a kill",
            become_ready,
        ),
    ]
}

fn serves_a_node_port(lab: &mut Lab) -> Result<()> {
    let client = lab.client_host();
    lab.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: ground, namespace: default}\n\
         spec:\n  type: NodePort\n  selector: {app: web}\n  ipFamilyPolicy: RequireDualStack\n\
         \x20 ports: [{port: 80, targetPort: 8080, nodePort: 30080}]\n",
    )?;
    for (node, ip) in [1, 2, 3]
        .into_iter()
        .flat_map(|n| address::node(n).map(|ip| (n, ip)))
    {
        let body = eventually(SOON, &format!("n{node} serves the port at {ip}"), || {
            http::get(&client, ip, 30080, ONE_REQUEST)
        })?;
        ensure!(body.starts_with("web-"), "{ip} answered {body:?}");
        let routed = ROUTED_CLIENT[usize::from(ip.is_ipv6())];
        http::get_from(&client, routed, ip, 30080, ONE_REQUEST)
            .with_context(|| format!("from {routed} by the router to {ip}"))?;
    }
    for ip in lab.pod("web-1")?.addresses() {
        let own = CLIENT[usize::from(ip.is_ipv6())];
        let body = http::get(&lab.node("n2"), ip, POD_PORT, ONE_REQUEST)?;
        ensure!(body.starts_with("web-1 "), "{ip} answered {body:?}");
        ensure!(
            !body.contains(&own.to_string()),
            "n2 is not the client: {body:?}"
        );
    }
    for ip in address::node(2) {
        let mac = probe::who_has(&client, "eth0", ip, SOON)?;
        let mac = mac.with_context(|| format!("nobody answers for {ip}"))?;
        ensure!(
            lab.node_of_mac(mac)?.as_deref() == Some("n2"),
            "{mac} answers for {ip}"
        );
    }
    Ok(())
}

fn tools_hold(lab: &mut Lab) -> Result<()> {
    let client = lab.client_host();
    let node = address::node(1);

    let capture = Capture::start(&client, "eth0", ARP_AND_ND)?;
    for ip in node {
        let answer = probe::first_answer(&client, "eth0", ip, SOON)?;
        ensure!(
            answer.is_some_and(|answer| answer.asked <= answer.at),
            "nobody has {ip}"
        );
    }
    let packets = capture.stop()?;
    for ip in node {
        let spoken = packets
            .iter()
            .filter_map(lab::Packet::speaks_for)
            .find(|(of, _)| *of == ip);
        ensure!(
            spoken == Some((ip, lab.mac("n1")?)),
            "no answer for {ip} in {packets:#?}"
        );
    }

    let probers = node.map(|ip| Prober::segment(&client, ip, Duration::from_millis(10)));
    lab.cut_api_server()?;
    let from_node = || http::get_path(&lab.node("n1"), API_SERVER_SOCKET, "/livez", ONE_REQUEST);
    let refused = format!(
        "{:#}",
        from_node().err().context("n1 reaches the API server")?
    );
    ensure!(
        refused.contains("timed out"),
        "it is cut off, not refused: {refused}"
    );
    lab.kubectl(&["get", "nodes"])
        .context("kubectl still reaches the API server")?;
    lab.restore_api_server()?;
    // It speaks TLS only, and says so.
    let reached = format!("{:#}", from_node().err().context("it speaks plain HTTP")?);
    ensure!(reached.contains("400"), "{reached}");
    for prober in probers {
        prober?.stop()?.expect_no_gap(Duration::from_millis(500))?;
    }

    lab.stop_api_server()?;
    ensure!(
        lab.kubectl(&["get", "nodes", "--request-timeout=2s"])
            .is_err(),
        "it still answers"
    );
    lab.start_api_server()?;

    lab.move_pod("web-1", "n3", &[("app", "web")])?;
    for ip in lab.pod("web-1")?.addresses() {
        let body = http::get(&lab.node("n2"), ip, POD_PORT, ONE_REQUEST)?;
        ensure!(body.starts_with("web-1 "), "{ip} answered {body:?}");
    }
    lab.terminate_pod("web-1")?;
    let shown = lab.kubectl(&[
        "get",
        "pod",
        "web-1",
        "-o",
        "jsonpath={.metadata.deletionTimestamp}",
    ])?;
    ensure!(!shown.is_empty(), "web-1 is not terminating");

    let third = lab.node("n3");
    third.link_down("eth0")?;
    third.add_interface("eth1", &["10.95.0.13/24", "fd95::13/64"])?;
    ensure!(
        third.interface("eth1")?.v4.len() == 1,
        "eth1 has no address"
    );
    lab.set_node_label("n3", "lab/label", Some("x"))?;
    lab.reset()?;
    ensure!(third.interface("eth1").is_err(), "eth1 is still there");
    ensure!(
        third
            .interface("eth0")?
            .v6
            .contains(&Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x13)),
        "no IPv6"
    );
    ensure!(
        !lab.kubectl(&["get", "node", "n3", "--show-labels"])?
            .contains("lab/label"),
        "label"
    );
    ensure!(
        lab.pod("web-1")?.node() == "n1",
        "web-1 is not where it was"
    );
    Ok(())
}

fn become_ready(lab: &mut Lab) -> Result<()> {
    lab.start_seamark()?;
    let parts = lab.parts();
    ensure!(
        parts.len() == 4,
        "one controller and three speakers: {parts:?}"
    );
    for part in &parts {
        lab.wait_ready(part)?;
        ensure!(
            lab.metrics(part)?.contains("# EOF"),
            "{part:?} shows no OpenMetrics"
        );
        ensure!(lab.process(part)?.rss_kib()? > 0, "{part:?} has no memory");
    }
    for part in &parts {
        lab.kill(part)?;
        ensure!(
            !lab.process(part)?.is_running(),
            "{part:?} outlives SIGKILL"
        );
        lab.restart(part)?;
    }
    parts.iter().try_for_each(|part| lab.wait_ready(part))?;
    parts.iter().try_for_each(|part| lab.stop(part))
}
