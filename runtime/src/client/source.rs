//! Where the API server's address and our credentials are written.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::ConnectError;
use crate::args::Common;

/// Set in every pod.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Where it is written. It can be read more than once: what it says may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Kubeconfig {
        paths: Vec<PathBuf>,
        context: Option<String>,
    },
    InCluster,
}

impl Source {
    /// What the arguments name; else the pod that we are in; else the file where kubectl looks.
    pub(super) fn find(common: &Common) -> Result<Self, ConnectError> {
        let home = std::env::home_dir().map(|home| home.join(".kube/config"));
        let pod = std::env::var_os(IN_CLUSTER).is_some();
        Self::choose(common, pod, home.filter(|file| file.exists()))
    }

    fn choose(common: &Common, pod: bool, home: Option<PathBuf>) -> Result<Self, ConnectError> {
        let context = common.context.clone();
        let named: Vec<PathBuf> = common
            .kubeconfig
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if !named.is_empty() {
            return Ok(Self::Kubeconfig {
                paths: named,
                context,
            });
        }
        match home {
            // A context can only be meant of a kubeconfig.
            Some(home) if !pod || context.is_some() => Ok(Self::Kubeconfig {
                paths: vec![home],
                context,
            }),
            _ if pod => Ok(Self::InCluster),
            _ => Err(ConnectError::Nowhere),
        }
    }

    /// Read it now. A token file is read too, and its content takes the place of its name.
    pub(super) async fn load(&self) -> Result<Config, ConnectError> {
        let mut config = match self {
            Self::InCluster => {
                Config::incluster().map_err(|source| ConnectError::InCluster { source })?
            }
            Self::Kubeconfig { paths, context } => load_kubeconfig(paths, context.as_ref()).await?,
        };
        // kube sends the file as it is; a line end, which editors leave, is not part of a token.
        let user = &mut config.auth_info;
        if user.token.is_none()
            && let Some(path) = &user.token_file
        {
            user.token = Some(read_token(Path::new(path))?.into());
        }
        Ok(config)
    }
}

async fn load_kubeconfig(
    paths: &[PathBuf],
    context: Option<&String>,
) -> Result<Config, ConnectError> {
    let names = || {
        paths
            .iter()
            .map(|p| p.display().to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let unusable = |error| {
        if let KubeconfigError::ReadConfig(source, path) = error {
            return ConnectError::Read { path, source };
        }
        ConnectError::Kubeconfig {
            paths: names(),
            source: error,
        }
    };
    let kubeconfig = paths
        .iter()
        .try_fold(Kubeconfig::default(), |merged, path| {
            merged.merge(Kubeconfig::read_from(path)?)
        })
        .map_err(unusable)?;
    let wanted = context.or(kubeconfig.current_context.as_ref());
    let found = wanted.and_then(|wanted| kubeconfig.contexts.iter().find(|c| c.name == *wanted));
    let Some(found) = found else {
        let known: Vec<&str> = kubeconfig
            .contexts
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        return Err(ConnectError::Context {
            paths: names(),
            context: wanted.cloned(),
            known: if known.is_empty() {
                "it has none".to_owned()
            } else {
                known.join(", ")
            },
        });
    };
    // A proxy from the environment is meant for other traffic and left aside; one that the file
    // asks for is not something to pass over in silence.
    let proxy = kubeconfig
        .clusters
        .iter()
        .find(|c| {
            found
                .context
                .as_ref()
                .is_some_and(|context| context.cluster == c.name)
        })
        .and_then(|c| c.cluster.as_ref()?.proxy_url.clone())
        .filter(|proxy| !proxy.is_empty());
    if let Some(proxy) = proxy {
        return Err(ConnectError::Proxy {
            paths: names(),
            proxy,
        });
    }
    let options = KubeConfigOptions {
        context: context.cloned(),
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(unusable)
}

fn read_token(path: &Path) -> Result<String, ConnectError> {
    let error = |source| ConnectError::Token {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(error)?;
    match text.trim() {
        "" => Err(error(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "it is empty",
        ))),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::LogFormat;

    fn common(kubeconfig: Option<&str>, context: Option<&str>) -> Common {
        Common {
            kubeconfig: kubeconfig.map(PathBuf::from),
            context: context.map(str::to_owned),
            log_format: LogFormat::Text,
            log_level: String::new(),
        }
    }

    fn file(path: &str, context: Option<&str>) -> Source {
        Source::Kubeconfig {
            paths: vec![path.into()],
            context: context.map(str::to_owned),
        }
    }

    #[test]
    fn a_named_kubeconfig_wins_over_the_pod_and_the_home_directory() {
        let found = Source::choose(&common(Some("named"), None), true, Some("home".into()));
        assert_eq!(found.unwrap(), file("named", None));
    }

    #[test]
    fn several_kubeconfigs_are_separated_by_colons() {
        let found = Source::choose(&common(Some("a::b"), None), false, None).unwrap();
        let paths = vec![PathBuf::from("a"), PathBuf::from("b")];
        assert_eq!(
            found,
            Source::Kubeconfig {
                paths,
                context: None
            }
        );
    }

    #[test]
    fn a_pod_uses_its_service_account_unless_a_context_is_named() {
        let home = || Some(PathBuf::from("home"));
        let found = Source::choose(&common(None, None), true, home()).unwrap();
        assert_eq!(found, Source::InCluster);
        let found = Source::choose(&common(None, Some("lab")), true, home()).unwrap();
        assert_eq!(found, file("home", Some("lab")));
    }

    #[test]
    fn nothing_named_and_nothing_found_says_what_to_name() {
        let error = Source::choose(&common(Some(""), None), false, None).unwrap_err();
        assert!(error.to_string().contains("--kubeconfig FILE"), "{error}");
    }
}
