//! A node is put together, runs, and ends in order.

use super::{
    banner::Ready,
    folder::{DevAccounts, Folder, Opened},
    logging,
    metrics::Metrics,
    options::{BuilderOrder, NodeOptions},
    secret,
};
use crate::SUCCESS;
use braid_chain::{
    Chain, ChainOptions, ExecutionEngine, MiningMode, Producer, ProducerOptions,
    payload::OrderOptions,
    pool::{PoolOptions, TransactionPool},
};
use braid_rpc::{
    Accounts, Backend, Cors, Hosts, HttpOptions, Limits, MethodSet, RpcOptions, RunningServer, serve_engine,
    serve_http, serve_ipc,
};
use braid_runtime::EngineConfig;
use eyre::{WrapErr, eyre};
use std::{
    io::{self, Write},
    net::SocketAddr,
    num::NonZero,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// Port of the Engine API, where it is on without being asked for.
const ENGINE_PORT: u16 = 8551;
/// Name of the socket in the folder of the chain.
const IPC: &str = "braid.ipc";
/// The same for the Engine API.
const ENGINE_IPC: &str = "engine.ipc";
/// Name of the secret in the folder of the chain.
const SECRET: &str = "jwt.hex";
/// Name of the journal of local transactions in the folder of the chain.
const JOURNAL: &str = "transactions.rlp";
/// Threads that serve connections. Calls that take long have threads of their own.
const SERVER_THREADS: usize = 2;
/// How often blocks that are only in memory are written while there is little to do.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Namespaces that are not for everybody.
const PRIVATE: [&str; 2] = ["admin", "testing"];

/// Everything that runs.
#[derive(Debug)]
struct Node {
    chain: Arc<Chain>,
    pool: Arc<TransactionPool>,
    producer: Option<Arc<Producer>>,
    backend: Arc<Backend>,
    folder: Folder,
    derivation: Option<DevAccounts>,
}

pub(crate) fn run(options: &NodeOptions) -> eyre::Result<u8> {
    logging::start(&options.output)?;
    let node = Node::start(options)?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .thread_name("braid-rpc")
        .enable_all()
        .build()
        .wrap_err("cannot start the threads of the servers")?;
    let result = threads.block_on(node.serve(options));
    // Calls that still run are not waited for: what they do is only looked at.
    threads.shutdown_timeout(Duration::from_secs(1));
    result?;
    node.end()?;
    Ok(SUCCESS)
}

impl Node {
    fn start(options: &NodeOptions) -> eyre::Result<Self> {
        let folder = Folder::new(options)?;
        let derive = |from: &DevAccounts| {
            Accounts::from_mnemonic(&from.mnemonic, from.accounts, &from.derivation_path)
                .map_err(|error| eyre!("--mnemonic: {error}"))
        };
        let mut accounts = None;
        let Opened { spec, database, is_development, accounts: derivation } = folder.open(options, |from| {
            let derived = derive(from)?;
            let addresses = derived.addresses();
            accounts = Some(derived);
            Ok(addresses)
        })?;
        let accounts = match (accounts, &derivation) {
            (Some(accounts), _) => accounts,
            (None, Some(from)) => derive(from)?,
            (None, None) => Accounts::default(),
        };
        accounts.set_auto_impersonate(is_development && options.dev.auto_impersonate);

        let spec = if is_development { spec.with_contract_senders() } else { spec };
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = options.threads.map_or_else(cores, usize::from);
        let execution = EngineConfig { threads, ..EngineConfig::default() };
        let chain = Chain::new(
            database,
            spec,
            ChainOptions { execution, order: order_options(options), ..ChainOptions::default() },
        )
        .wrap_err("cannot open the chain")?;
        let chain = Arc::new(chain);
        let pool = TransactionPool::new(Arc::clone(&chain), pool_options(options, is_development));
        if !folder.is_temporary() {
            let journal =
                pool.open_journal(&folder.path().join(JOURNAL)).wrap_err("cannot open the journal of transactions")?;
            tracing::debug!(?journal, "transactions of the journal");
        }
        chain.set_transaction_source(Arc::clone(&pool) as _);
        let producer = is_development
            .then(|| Producer::start(Arc::clone(&chain), Arc::clone(&pool), producer_options(options)))
            .transpose()?;
        let rpc = RpcOptions {
            gas_cap: options.limits.gas_cap,
            call_timeout: options.limits.call_timeout,
            fee_cap: options.limits.fee_cap,
            max_log_blocks: options.limits.max_log_blocks,
            max_logs: options.limits.max_logs,
            development: is_development,
            datadir: (!folder.is_temporary()).then(|| folder.path().to_path_buf()),
            ..RpcOptions::default()
        };
        let backend = Backend::new(Arc::clone(&chain), Arc::clone(&pool), producer.clone(), accounts, rpc);
        Ok(Self { chain, pool, producer, backend, folder, derivation })
    }

    /// Answers until a signal comes.
    async fn serve(&self, options: &NodeOptions) -> eyre::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let metrics = match options.output.metrics {
            Some(address) => {
                let metrics = Metrics::start(Arc::clone(&self.chain), Arc::clone(&self.pool))?;
                Some(metrics.serve(address).await?)
            }
            None => None,
        };
        let mut servers: Vec<RunningServer> = Vec::new();
        let address = SocketAddr::new(options.http.address, options.http.port);
        let open = HttpOptions {
            address,
            cors: cors(options, self.is_development()),
            hosts: hosts(&options.http.hosts),
            limits: limits(options),
            ..HttpOptions::default()
        };
        let http = serve_http(self.open_methods(options)?, &open).await.map_err(|error| {
            eyre!("{error}: end what uses the port, or choose another one with --http.port (0 lets the system choose)")
        })?;
        let http_address = http.local_address();
        servers.push(http);
        let mut sockets = [None, None];
        let wanted = [
            (&options.http.ipc, IPC, self.backend.methods()),
            (&options.engine.ipc, ENGINE_IPC, self.backend.engine_methods()),
        ];
        for (socket, (path, name, methods)) in sockets.iter_mut().zip(wanted) {
            let Some(path) = path else { continue };
            let path = if path.as_os_str().is_empty() { self.folder.path().join(name) } else { path.clone() };
            servers.push(serve_ipc(methods, &path, &limits(options)).await?);
            *socket = Some(path);
        }
        let [ipc, engine_ipc] = sockets;
        let engine = match options.engine.port.or((!self.is_development()).then_some(ENGINE_PORT)) {
            Some(port) => {
                let path: PathBuf = options.engine.secret.clone().unwrap_or_else(|| self.folder.path().join(SECRET));
                let secret = secret::read_or_make(&path)?;
                let engine = HttpOptions {
                    address: SocketAddr::new(options.engine.address, port),
                    cors: Cors::None,
                    hosts: hosts(&options.engine.hosts),
                    limits: limits(options),
                    ..HttpOptions::default()
                };
                let server = serve_engine(self.backend.engine_methods(), &engine, secret)
                    .await
                    .map_err(|error| eyre!("{error}: choose another port with --authrpc.port"))?;
                let address = server.local_address();
                servers.push(server);
                Some(address)
            }
            None => None,
        };
        let ready = Ready {
            http: http_address,
            ipc,
            engine,
            engine_ipc,
            metrics,
            chain_id: self.chain.spec().chain_id(),
            head: self.chain.head().number,
            folder: (!self.folder.is_temporary()).then(|| self.folder.path().to_path_buf()),
            accounts: self.backend.accounts().keys(),
            derivation: self.derivation.clone(),
            balance: options.dev.balance,
        };
        if options.output.json {
            println!("{}", ready.json());
        } else if !options.output.silent {
            ready.print();
        }
        // Whoever reads a pipe wants it now; if nobody reads, there is nobody to tell.
        let _ = io::stdout().flush();

        let mut write = tokio::time::interval(WRITE_INTERVAL);
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = write.tick() => self.write_idle_blocks(),
            }
        }
        tokio::spawn(async move {
            // The second signal ends everything at once.
            tokio::select! {
                _ = interrupt.recv() => std::process::exit(130),
                _ = terminate.recv() => std::process::exit(143),
            }
        });
        tracing::info!("ending");
        for server in servers {
            server.stop().await;
        }
        Ok(())
    }

    /// Writes what is only in memory, so that little is lost if the process is killed.
    fn write_idle_blocks(&self) {
        if self.folder.is_temporary() || self.chain.is_written() {
            return;
        }
        let chain = Arc::clone(&self.chain);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = chain.write() {
                tracing::error!("blocks cannot be written: {error}");
            }
        });
    }

    fn is_development(&self) -> bool {
        self.producer.is_some()
    }

    /// The methods that everybody may call.
    fn open_methods(&self, options: &NodeOptions) -> eyre::Result<MethodSet> {
        let known = self.backend.methods().namespaces();
        let methods = match &options.http.namespaces {
            Some(asked) if asked.iter().any(|name| name == "all") => self.backend.methods(),
            Some(asked) => {
                if let Some(unknown) = asked.iter().find(|name| !known.contains(name.as_str())) {
                    let known = known.iter().copied().collect::<Vec<_>>().join(", ");
                    return Err(eyre!("--http.api: there is no namespace {unknown}; there are {known}"));
                }
                self.backend.methods_of(|namespace| asked.iter().any(|name| name == namespace))
            }
            None if self.is_development() => self.backend.methods(),
            None => self.backend.methods_of(|namespace| !PRIVATE.contains(&namespace)),
        };
        Ok(methods)
    }

    /// Writes everything.
    fn end(self) -> eyre::Result<()> {
        if let Some(producer) = &self.producer {
            producer.stop();
        }
        if !self.folder.is_temporary() {
            if let Err(error) = self.pool.rotate_journal() {
                tracing::warn!("transactions that wait may be lost: {error}");
            }
            let head = self.chain.flush().wrap_err("the last blocks cannot be written")?;
            tracing::info!(number = head.number, "everything is written");
        }
        Ok(())
    }
}

fn pool_options(options: &NodeOptions, is_development: bool) -> PoolOptions {
    let pool = if is_development {
        // Deployers that were signed long ago for every chain are sent on development chains.
        PoolOptions { allow_unprotected: true, ..PoolOptions::default() }
    } else {
        PoolOptions::public()
    };
    match options.limits.max_transactions {
        Some(most) => PoolOptions { pending: most, ..pool },
        None => pool,
    }
}

fn order_options(options: &NodeOptions) -> OrderOptions {
    let order = match options.builder.order {
        BuilderOrder::Fees => OrderOptions::FEES,
        BuilderOrder::Parallel => OrderOptions::PARALLEL,
    };
    OrderOptions { tip_tolerance: options.builder.tip_tolerance, ..order }
}

fn producer_options(options: &NodeOptions) -> ProducerOptions {
    let mode = match (options.dev.no_mining, options.dev.block_time) {
        (true, _) => MiningMode::Manual,
        (false, Some(interval)) => MiningMode::Interval(interval),
        (false, None) => MiningMode::Instant,
    };
    ProducerOptions {
        mode,
        coinbase: options.dev.coinbase,
        gas_limit: options.dev.gas_limit,
        ..ProducerOptions::default()
    }
}

fn cors(options: &NodeOptions, is_development: bool) -> Cors {
    match &options.http.cors {
        Some(list) if list.iter().any(|origin| origin == "*") => Cors::Any,
        Some(list) => Cors::Origins(list.clone()),
        None if is_development => Cors::Any,
        None => Cors::None,
    }
}

fn hosts(list: &[String]) -> Hosts {
    if list.iter().any(|host| host == "*") { Hosts::Any } else { Hosts::Names(list.to_vec()) }
}

fn limits(options: &NodeOptions) -> Limits {
    const MIB: usize = 1 << 20;
    Limits {
        max_request_bytes: options.limits.max_request as usize * MIB,
        max_response_bytes: options.limits.max_response as usize * MIB,
        max_batch_response_bytes: options.limits.max_response as usize * MIB,
        max_batch: options.limits.max_batch as usize,
        max_connections: options.limits.max_connections as usize,
        ..Limits::default()
    }
}
