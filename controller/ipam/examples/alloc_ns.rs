//! How long one allocation takes in an address space that is 90 % full: deciding for a new
//! Service and recording the claim, which holds a copy of its names made before. `cargo run --release -p seamark-ipam --example alloc_ns`
//!
//! Of an IPv4 /16, and of the first 65,536 addresses of an IPv6 /48, nine in ten are held,
//! scattered at random, so that the free ranges are as many and as short as they become in use.
//! After each timed batch as many random addresses are given back. The figure is that of the median
//! batch, so that a busy machine disturbs it little.

use std::net::IpAddr;
use std::time::Instant;

use ipam::{Allocator, decide};
use model::{
    AddressRange, Allocation, Holder, IpFamily, IpFamilyPolicy, Labels, Pool, PoolName,
    RequestedAddresses, ServiceAllocation, ServiceKey, ServiceRequest, Uid,
};

const ADDRESSES: usize = 65_536;
const BATCH: usize = 1_000;
const BATCHES: usize = 200;

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    let v4 = measure("10.0.0.0", "10.0.255.255");
    println!("alloc_ns_per_op_full90_v4_16 {v4} ns");
    let v6 = measure("fd99::", "fd99::ffff:ffff:ffff:ffff:ffff");
    println!("alloc_ns_per_op_full90_v6_48 {v6} ns");
}

fn measure(first: &str, last: &str) -> u128 {
    let pool = pool(ip(first), ip(last));
    let family = IpFamily::of(ip(first));
    let mut random = XorShift(0x5eaa_4a2c_9e37_79b9);
    let mut allocator = Allocator::new();
    allocator.set_pools(std::slice::from_ref(&pool));
    let mut held = scattered(AddressRange::number(ip(first)), &mut random);
    held.truncate(ADDRESSES * 9 / 10);
    for number in &held {
        let address = AddressRange::address_at(family, *number);
        let request = request(&mut random, family);
        allocator.record(allocation(holder(&request), address, pool.name.clone()));
    }

    let labels = Labels::new();
    let mut batches = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let requests: Vec<ServiceRequest> =
            (0..BATCH).map(|_| request(&mut random, family)).collect();
        let holders: Vec<Holder> = requests.iter().map(holder).collect();
        #[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
        let start = Instant::now();
        for (request, holder) in requests.iter().zip(holders) {
            let [(address, pool)] = <[_; 1]>::try_from(decide(request, &labels, &allocator).claim)
                .expect("there is room");
            held.push(AddressRange::number(address));
            allocator.record(allocation(holder, address, pool));
        }
        batches.push(start.elapsed().as_nanos() / BATCH as u128);
        for _ in 0..BATCH {
            let number = held.swap_remove(random.below(held.len()));
            allocator.forget(AddressRange::address_at(family, number));
        }
    }
    assert_eq!(
        held.len(),
        ADDRESSES * 9 / 10,
        "every request got its address"
    );
    batches.sort_unstable();
    batches[BATCHES / 2]
}

fn scattered(first: u128, random: &mut XorShift) -> Vec<u128> {
    let mut numbers: Vec<u128> = (0..ADDRESSES as u128).map(|n| first + n).collect();
    for at in (1..numbers.len()).rev() {
        numbers.swap(at, random.below(at + 1));
    }
    numbers
}

fn pool(first: IpAddr, last: IpAddr) -> Pool {
    Pool {
        name: PoolName::new("lan"),
        created: 0,
        labels: Labels::new(),
        addresses: vec![AddressRange::new(first, last).expect("in order")],
        exclude: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips: false,
        service_allocation: ServiceAllocation::default(),
    }
}

fn request(random: &mut XorShift, family: IpFamily) -> ServiceRequest {
    let (high, low) = (random.next(), random.next());
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
    let (d, e) = (low >> 48, low & 0xffff_ffff_ffff);
    ServiceRequest {
        service: ServiceKey::new("shop", format!("web-{e}")),
        uid: Uid::new(format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")),
        created: 0,
        labels: Labels::new(),
        families: vec![family],
        family_policy: IpFamilyPolicy::SingleStack,
        requested: Ok(RequestedAddresses::default()),
        shown: Vec::new(),
    }
}

fn holder(request: &ServiceRequest) -> Holder {
    Holder {
        service: request.service.clone(),
        uid: request.uid.clone(),
    }
}

fn allocation(holder: Holder, address: IpAddr, pool: PoolName) -> Allocation {
    Allocation {
        address,
        pool,
        holders: vec![holder],
        since: 0,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Marsaglia's xorshift64: the same numbers on every run.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}
