//! Logs: set up once, by `main`.
//!
//! A message is a fixed lower-case phrase; all that varies is a field, and these are the fields:
//!
//! | field | meaning |
//! | --- | --- |
//! | `service` | `namespace/name` of a Service |
//! | `vip` | one load-balanced address |
//! | `pool` | name of a pool |
//! | `peer` | name of a configured neighbour |
//! | `node` | name of a Node |
//! | `interface` | name of a network interface |
//! | `port` | a port of TCP or UDP |
//! | `protocol` | in which way an address is announced: `layer2` or `bgp` |
//! | `from`, `to` | the two sides of a change of state |
//! | `reason` | a variant of one of our enums, in words |
//! | `error` | an error with its causes, see [`chain`] |
//! | `kind` | what a watch watches, as `plural.group` |
//! | `task` | name of a long-lived task |
//! | `url` | the API server |
//! | `bug` | `true` where an invariant of ours is broken |

use std::error::Error;
use std::fmt::Write;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::args::{Common, LogFormat};

/// Libraries speak only of what went wrong, unless asked: kube warns at each attempt, where we say
/// a thing once; the HTTP stack fills a debug log.
const LIBRARIES: &str = "kube_client=error,kube_runtime=error,h2=info,hyper=info,hyper_util=info,rustls=info,tower=info";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `--log-level` is not a filter.
    #[error("--log-level {filter:?} is not understood; try info, or info,speaker=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// It was set up before.
    #[error("logging is set up already")]
    Twice,
}

/// Log to standard error, in the format and with the filter that the arguments name.
pub fn init(common: &Common) -> Result<(), InitError> {
    let filter = filter(&common.log_level)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match common.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|_| InitError::Twice)
}

/// What the user says comes last, and so wins over what we say about libraries. Targets and levels
/// are all that is understood: a filter by field would bring a regular expression engine, which is
/// megabytes of a process that has ten.
fn filter(level: &str) -> Result<Targets, InitError> {
    let directives: Result<Targets, _> = format!("{LIBRARIES},{level}").parse();
    directives.map_err(|source| InitError::Filter {
        filter: level.to_owned(),
        source,
    })
}

/// An error and its causes in one line, joined by ": ". A cause that the text before it has
/// already quoted is left out, as many libraries print their source themselves.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            // Writing to a String does not fail.
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}

/// The first error of this type among an error and its causes, also where an [`std::io::Error`]
/// wraps it, which hides what it wraps from its own chain.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<Self>>,
    }

    fn link(words: &'static str, source: Option<Link>) -> Link {
        Link {
            words,
            source: source.map(Box::new),
        }
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let refused = link("connection refused", None);
        let connect = link("connect: connection refused", Some(refused));
        let list = link("list", Some(connect));
        assert_eq!(chain(&list), "list: connect: connection refused");
    }

    #[test]
    fn an_error_without_cause_stands_alone() {
        assert_eq!(chain(&link("alone", None)), "alone");
    }

    #[test]
    fn a_filter_that_is_not_understood_is_quoted() {
        let error = filter("info,speaker=loud").unwrap_err();
        assert!(
            error.to_string().contains("\"info,speaker=loud\""),
            "{error}"
        );
    }

    #[test]
    fn the_user_may_overrule_the_silence_of_libraries() {
        let filter = filter("debug,kube_client=trace").unwrap().to_string();
        assert!(filter.contains("kube_client=trace"), "{filter}");
        assert!(!filter.contains("kube_client=error"), "{filter}");
    }
}
