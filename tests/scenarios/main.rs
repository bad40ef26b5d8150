//! The scenarios of the lab, one promise each. `make lab` runs them all, `make lab SCENARIO=words`
//! those whose name contains the words.

use std::process::ExitCode;

mod agreement;
mod api_server;
mod ask;
mod bfd;
mod bfd_load;
mod bfd_protection;
mod bgp_away;
mod bgp_beside;
mod bgp_clocks;
mod bgp_connections;
mod bgp_drain;
mod bgp_dynamic;
mod bgp_events;
mod bgp_faults;
mod bgp_guide;
mod bgp_hostile;
mod bgp_local;
mod bgp_malformed;
mod bgp_objects;
mod bgp_pauses;
mod bgp_restart;
mod bgp_restart_bfd;
mod bgp_restart_bfd_death;
mod bgp_routers;
mod bgp_routes;
mod bgp_sessions;
mod bgp_unnumbered;
mod chart_install;
mod chart_nodes;
mod chart_rights;
mod chart_trouble;
mod chart_uninstall;
mod chart_upgrade;
mod ground;
mod guide;
mod health;
mod history;
mod hostile;
mod kinds;
mod ledger;
mod links;
mod local;
mod missing;
mod nodes;
mod pair;
mod peering;
mod peers;
mod processes;
mod refusals;
mod release;
mod replicas;
mod requests;
mod restart;
mod rights;
mod routers;
mod routers_bfd;
mod serving;
mod skew;
mod told;
mod untouched;
mod vips;
mod wire;

fn main() -> ExitCode {
    let scenarios = [
        api_server::scenarios(),
        bfd::scenarios(),
        bfd_load::scenarios(),
        bfd_protection::scenarios(),
        bgp_away::scenarios(),
        bgp_beside::scenarios(),
        bgp_clocks::scenarios(),
        bgp_connections::scenarios(),
        bgp_drain::scenarios(),
        bgp_dynamic::scenarios(),
        bgp_events::scenarios(),
        bgp_faults::scenarios(),
        bgp_guide::scenarios(),
        bgp_hostile::scenarios(),
        bgp_local::scenarios(),
        bgp_malformed::scenarios(),
        bgp_objects::scenarios(),
        bgp_pauses::scenarios(),
        bgp_restart::scenarios(),
        bgp_restart_bfd::scenarios(),
        bgp_restart_bfd_death::scenarios(),
        bgp_routers::scenarios(),
        bgp_routes::scenarios(),
        bgp_sessions::scenarios(),
        bgp_unnumbered::scenarios(),
        chart_install::scenarios(),
        chart_nodes::scenarios(),
        chart_rights::scenarios(),
        chart_trouble::scenarios(),
        chart_uninstall::scenarios(),
        chart_upgrade::scenarios(),
        ground::scenarios(),
        guide::scenarios(),
        health::scenarios(),
        hostile::scenarios(),
        kinds::scenarios(),
        links::scenarios(),
        ledger::scenarios(),
        local::scenarios(),
        missing::scenarios(),
        nodes::scenarios(),
        peers::scenarios(),
        processes::scenarios(),
        refusals::scenarios(),
        requests::scenarios(),
        release::scenarios(),
        replicas::scenarios(),
        restart::scenarios(),
        rights::scenarios(),
        routers::scenarios(),
        routers_bfd::scenarios(),
        serving::scenarios(),
        skew::scenarios(),
        untouched::scenarios(),
        wire::scenarios(),
    ]
    .concat();
    lab::runner::main(&scenarios)
}
