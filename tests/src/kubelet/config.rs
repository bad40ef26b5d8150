//! What containerd, kubelet and the network plugin are told.

use super::Place;
use crate::pki::Pki;

/// The image that holds the namespaces of a pod.
pub(crate) const SANDBOX: &str = "localhost/lab-pod:1";

/// containerd 1.6: its own folders, no plug-ins that this machine cannot have, and a network
/// namespace of a pod below its state, so that all of it goes with the run's folder.
pub(super) fn containerd(place: &Place) -> String {
    let disabled = ["aufs", "btrfs", "devmapper", "zfs"]
        .map(|name| format!("\"io.containerd.snapshotter.v1.{name}\""))
        .join(", ");
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [{disabled}]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX}"
  disable_apparmor = true
  # A machine that is a container itself may lower no score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{runc}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"#,
        root = place.path("root"),
        state = place.path("state"),
        socket = place.path("containerd.sock"),
        runc = place.path("runc"),
        cni = place.path("cni"),
    )
}

/// A bridge for the pods of node `number`, in both families, with the addresses that hand-made pods
/// would have.
pub(super) fn cni(place: &Place, number: u8) -> String {
    let network = &place.cgroup;
    format!(
        r#"{{"cniVersion": "1.0.0", "name": "{network}", "plugins": [{{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {{
    "type": "host-local",
    "ranges": [[{{"subnet": "10.244.{number}.0/24"}}], [{{"subnet": "fd00:10:244:{number}::/64"}}]],
    "routes": [{{"dst": "0.0.0.0/0"}}, {{"dst": "::/0"}}]
  }}
}}]}}
"#
    )
}

pub(super) fn kubelet(place: &Place, pki: &Pki, name: &str) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{socket}
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
failCgroupV1: false
failSwapOn: false
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {ca}}}}}
authorization: {{mode: Webhook}}
tlsCertFile: {certificate}
tlsPrivateKeyFile: {key}
podLogsDir: {logs}
resolvConf: ''
clusterDNS: []
# The machine's disk is not ours to judge.
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 50Mi}}
localStorageCapacityIsolation: false
# A node that dies is NotReady after seconds, not most of a minute.
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
readOnlyPort: 0
maxPods: 30
",
        socket = place.path("containerd.sock"),
        cgroup = place.cgroup,
        ca = pki.path("ca.crt"),
        certificate = pki.path(&format!("{name}.crt")),
        key = pki.path(&format!("{name}.key")),
        logs = place.path("logs"),
    )
}
