//! The main job from end to end, on the screen: two Services without an address get one, and a
//! client reaches their pods by it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::address::{CLIENT, ROUTED_CLIENT};
use lab::{Lab, Topology, eventually, http, probe};

const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec:
  addresses: [10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']
---
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec:
  ipAddressPools: [lan]
";

const SERVICES: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web-local}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  externalTrafficPolicy: Local
  selector: {app: web-local}
  ports: [{port: 80, targetPort: 8080}]
";

const SOON: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    lab::enter()?;
    say("Seamark: addresses for Services of type LoadBalancer, without a cloud.\n")?;
    let mut lab = Lab::up(&Topology::default())?;
    lab.start_pod("local-1", "n1", &[("app", "web-local")])?;
    lab.start_seamark()?;
    let story = tell(&mut lab);
    if story.is_err() {
        say(&lab.explain())?;
    }
    if story.is_ok() && std::env::var_os("KEEP").is_some_and(|keep| !keep.is_empty()) {
        say(&format!(
            "\nThe lab stays up. Use it like this, and end it with `make down`:\n  {} get svc\n",
            lab.kubectl_line()
        ))?;
        return lab.leak();
    }
    story
}

/// What a person would do and see, each step checked.
fn tell(lab: &mut Lab) -> Result<()> {
    title("A pool of addresses, and leave to announce them on the segment")?;
    lab.apply(POOL)?;
    show(lab, &["get", "ipaddresspools,l2advertisements"])?;

    title("Two Services of type LoadBalancer, both dual stack")?;
    lab.apply(SERVICES)?;
    let web = eventually(SOON, "web has its addresses", || addresses(lab, "web"))?;
    let local = eventually(SOON, "web-local has its addresses", || {
        addresses(lab, "web-local")
    })?;
    show(lab, &["get", "services,ipallocations", "-o", "wide"])?;

    title("Who answers for them on the segment: ARP and neighbour discovery")?;
    for vip in web.iter().chain(&local) {
        let node = eventually(SOON, "the VIP is answered", || owner(lab, *vip))?;
        say(&format!("{vip} is at {node}\n"))?;
    }

    title("A client on the segment, and one behind a router")?;
    for vip in &web {
        let reply = eventually(SOON, "the client is served", || {
            http::get(&lab.client_host(), *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!(
            "from the segment   http://{} says: {reply}",
            bracketed(*vip)
        ))?;
        let source = if vip.is_ipv4() {
            ROUTED_CLIENT[0]
        } else {
            ROUTED_CLIENT[1]
        };
        let reply = eventually(SOON, "the routed client is served", || {
            http::get_from(&lab.client_host(), source, *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!(
            "\nbehind the router  http://{} says: {reply}\n",
            bracketed(*vip)
        ))?;
    }

    title("externalTrafficPolicy Local keeps the client's address")?;
    for vip in &local {
        let own = if vip.is_ipv4() { CLIENT[0] } else { CLIENT[1] };
        let reply = served(lab, *vip)?;
        ensure!(
            reply.contains(&own.to_string()),
            "{reply} does not name the client {own}"
        );
        say(&format!(
            "http://{} says: {reply}   (the client is {own})\n",
            bracketed(*vip)
        ))?;
    }

    title("Its only endpoint moves from n1 to n3, and the addresses follow")?;
    let started = Instant::now();
    lab.move_pod("local-1", "n3", &[("app", "web-local")])?;
    for vip in &local {
        eventually(SOON, "n3 answers", || {
            let node = owner(lab, *vip)?;
            ensure!(node == "n3", "{vip} is at {node}");
            Ok(())
        })?;
        let moved = started.elapsed().as_millis();
        say(&format!(
            "{vip} is at n3 after {moved} ms, start of the pod included\n"
        ))?;
    }
    for vip in &local {
        let reply = served(lab, *vip)?;
        say(&format!("http://{} says: {reply}\n", bracketed(*vip)))?;
    }
    Ok(())
}

/// The addresses in a Service's status, both families.
fn addresses(lab: &Lab, service: &str) -> Result<Vec<IpAddr>> {
    let path = "jsonpath={.status.loadBalancer.ingress[*].ip}";
    let text = lab.kubectl(&["get", "service", service, "-o", path])?;
    let found: Vec<IpAddr> = text
        .split_whitespace()
        .filter_map(|ip| ip.parse().ok())
        .collect();
    ensure!(found.len() == 2, "{service} shows {text:?}");
    Ok(found)
}

fn owner(lab: &Lab, vip: IpAddr) -> Result<String> {
    let mac = probe::who_has(&lab.client_host(), "eth0", vip, Duration::from_millis(500))?
        .with_context(|| format!("nobody answers for {vip}"))?;
    lab.node_of_mac(mac)?
        .with_context(|| format!("{mac} is no node's"))
}

fn served(lab: &Lab, vip: IpAddr) -> Result<String> {
    // The client's own neighbour entry may still name the node of before.
    eventually(SOON, "the client is served", || {
        http::get(&lab.client_host(), vip, 80, Duration::from_secs(1))
    })
    .map(|reply| reply.trim().to_owned())
}

fn bracketed(vip: IpAddr) -> String {
    match vip {
        IpAddr::V4(vip) => vip.to_string(),
        IpAddr::V6(vip) => format!("[{vip}]"),
    }
}

fn show(lab: &Lab, arguments: &[&str]) -> Result<()> {
    let mut text = format!("$ kubectl {}\n", arguments.join(" "));
    write!(text, "{}", lab.kubectl(arguments)?)?;
    say(&text)
}

fn title(text: &str) -> Result<()> {
    say(&format!("\n── {text}\n"))
}

fn say(text: &str) -> Result<()> {
    let mut screen = io::stdout().lock();
    screen.write_all(text.as_bytes())?;
    screen.flush()?;
    Ok(())
}
