//! The pods have the rights that are documented, and no others.

use serde_json::{Value, json};

use crate::rendered::{MATRIX, PodSpec, find, pod_of, rendered};

/// All pods of the chart with all values.
fn pods() -> Vec<(String, PodSpec)> {
    let mut pods = Vec::new();
    for (name, values) in MATRIX {
        for object in rendered(values) {
            let own = object["metadata"]["name"].as_str().unwrap_or_default();
            pods.extend(pod_of(&object).map(|pod| (format!("{name}: {own}"), pod)));
        }
    }
    assert!(pods.len() >= 3 * MATRIX.len() - 2);
    pods
}

#[test]
fn every_container_is_confined() {
    for (name, pod) in pods() {
        let profile = json!({ "type": "RuntimeDefault" });
        assert_eq!(pod.security_context["seccompProfile"], profile, "{name}");
        assert!(pod.volumes.is_empty(), "{name} mounts something");
        for container in &pod.containers {
            let context = &container.security_context;
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["privileged"], Value::Null, "{name}");
            assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
            assert!(container.resources["requests"].is_object(), "{name}");
            assert!(
                container.resources["limits"]["cpu"].is_null(),
                "{name} is throttled"
            );
        }
    }
}

#[test]
fn speakers_alone_are_in_the_nodes_network_with_the_capabilities_that_are_documented() {
    for (name, pod) in pods() {
        let speaker = pod.service_account_name == "seamark-speaker";
        assert_eq!(pod.host_network, speaker, "{name}");
        let [container] = pod.containers.as_slice() else {
            panic!("{name} has {} containers", pod.containers.len());
        };
        let added = &container.security_context["capabilities"]["add"];
        let expected = match (speaker, name.starts_with("passive-peers")) {
            (false, _) => Value::Null,
            (true, false) => json!(["NET_RAW"]),
            (true, true) => json!(["NET_RAW", "NET_BIND_SERVICE"]),
        };
        assert_eq!(*added, expected, "{name}");
        let user = &pod.security_context["runAsUser"];
        assert_eq!(*user, json!(if speaker { 0 } else { 65532 }), "{name}");
        let outsider = &pod.security_context["runAsNonRoot"];
        assert_eq!(
            *outsider,
            if speaker { Value::Null } else { json!(true) },
            "{name}"
        );
    }
}

#[test]
fn images_are_named_as_the_values_say() {
    let image = |values: &[&str], kind: &str, name: &str| {
        let objects = rendered(values);
        let pod = pod_of(find(&objects, kind, name).unwrap()).unwrap();
        pod.containers[0].image.clone()
    };
    let version = env!("CARGO_PKG_VERSION");
    let defaults = image(&[], "Deployment", "seamark-controller");
    assert_eq!(defaults, format!("localhost/seamark-controller:{version}"));
    let [_, _, _, (_, registry), (_, digests), ..] = MATRIX;
    let from_registry = image(registry, "DaemonSet", "seamark-speaker");
    assert_eq!(
        from_registry,
        "registry.example.com/infra/seamark-speaker:9.9.9"
    );
    let by_digest = image(digests, "DaemonSet", "seamark-speaker");
    assert!(
        by_digest.starts_with("localhost/seamark-speaker@sha256:fedcba"),
        "{by_digest}"
    );
    let hook = image(digests, "Job", "seamark-uninstall");
    assert!(
        hook.starts_with("localhost/seamark-controller@sha256:0123"),
        "{hook}"
    );
}

#[test]
fn every_argument_is_one_that_the_program_takes() {
    use clap::CommandFactory;
    let controller = controller::args::Cli::command();
    let speaker = speaker::args::Args::command();
    for (name, pod) in pods() {
        let args = pod.containers[0].args.iter();
        let flags = args.map(|one| one.split('=').next().unwrap_or_default());
        let program = match pod.service_account_name.as_str() {
            "seamark-speaker" => &speaker,
            "seamark-controller" => &controller,
            _ => controller.find_subcommand("uninstall").unwrap(),
        };
        for flag in flags.filter(|flag| flag.starts_with("--")) {
            let known = |one: &clap::Arg| one.get_long() == Some(&flag[2..]);
            assert!(program.get_arguments().any(known), "{name}: {flag}");
        }
    }
}
