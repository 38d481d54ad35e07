//! `lakewright pack`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use lakewright_proto::admin::{ListPacksRequest, LoadPackRequest, PackFile, PackPlanEntry, PinPackRequest, PlanPackRequest};
use lakewright_proto::{Error, ErrorCode};
use serde_json::json;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::{views, Context};

/// Files of a pack, by their ending; anything else in the directory is passed over.
const ENDINGS: [&str; 3] = ["yaml", "yml", "sql"];
/// The largest pack, below gRPC's own limit of 4 MiB.
const MAX_BYTES: usize = 3 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Store a version of a pack, from its directory.
    Load {
        dir: PathBuf,
        /// The name that the pack must have; it is in its entities.yaml.
        #[arg(long)]
        name: Option<String>,
        /// Check it and store nothing.
        #[arg(long)]
        check: bool,
        /// Pin it for the tenant of --tenant at once.
        #[arg(long)]
        pin: bool,
    },
    /// List packs.
    List(LimitArgs),
    /// Make the tenant use a pack version: a name, or a hash.
    Pin { pack: String },
    /// Show what pinning a pack version would do. Changes nothing.
    Plan { pack: String },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let tenant = ctx.tenant();
    if let Cmd::Load { dir, name, check, pin } = cmd {
        return load(ctx, &dir, name, check, pin).await;
    }
    let mut admin = ctx.admin().await?;
    match cmd {
        Cmd::List(args) => {
            let found = pages!(admin, args.limit, list_packs, ListPacksRequest {}, packs).map_err(|s| explain(&s))?;
            let rows: Vec<_> = found.iter().map(views::pack).collect();
            let columns =
                [("NAME", "name"), ("HASH", "hash"), ("ENTITIES", "entities"), ("PINNED BY", "pinned_by"), ("LOADED", "created_at")];
            ctx.out.list(&rows, &columns, "no packs; load one with `lakewright pack load DIR`")
        }
        Cmd::Pin { pack } => {
            let answer = admin.pin_pack(PinPackRequest { tenant: tenant.clone(), pack: pack.clone(), ..Default::default() }).await;
            match answer {
                Ok(done) => plan(ctx, &done.into_inner().plan),
                Err(status) => Err(explain_near(&admin, What::Pack, &tenant, &pack, status).await),
            }
        }
        Cmd::Plan { pack } => match admin.plan_pack(PlanPackRequest { tenant: tenant.clone(), pack: pack.clone() }).await {
            Ok(found) => plan(ctx, &found.into_inner().plan),
            Err(status) => Err(explain_near(&admin, What::Pack, &tenant, &pack, status).await),
        },
        Cmd::Load { .. } => Ok(()),
    }
}

fn plan(ctx: &Context, plan: &[PackPlanEntry]) -> Result<(), Error> {
    let rows: Vec<_> = plan.iter().map(views::plan).collect();
    ctx.out.list(
        &rows,
        &[("ENTITY", "entity"), ("ACTION", "action"), ("COLUMNS", "columns"), ("RULES", "rules"), ("REASON", "reason")],
        "nothing changes",
    )
}

async fn load(ctx: &Context, dir: &Path, name: Option<String>, check: bool, pin: bool) -> Result<(), Error> {
    let files = read_dir(dir)?;
    let name = name.unwrap_or_default();
    let pin_tenant = match (pin, ctx.tenant()) {
        (false, _) => String::new(),
        (true, t) if t.is_empty() => return Err(invalid("--pin needs --tenant".to_owned())),
        (true, t) => t,
    };
    let mut admin = ctx.admin().await?;
    let request = LoadPackRequest { name, files, check_only: check, pin_tenant: pin_tenant.clone(), ..Default::default() };
    let answer = match admin.load_pack(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(explain_near(&admin, What::Tenant, "", &pin_tenant, status).await),
    };
    if !answer.faults.is_empty() {
        let lines: Vec<_> = answer
            .faults
            .iter()
            .map(|f| match f.line {
                0 => format!("  {}: {}", dir.join(&f.file).display(), f.message),
                n => format!("  {}:{n}: {}", dir.join(&f.file).display(), f.message),
            })
            .collect();
        return Err(invalid(format!("the pack has {} faults, nothing was stored:\n{}", lines.len(), lines.join("\n"))));
    }
    let Some(pack) = answer.pack else { return ctx.out.said("the pack is good; nothing was stored", &json!({ "faults": [] })) };
    let did = if check {
        "is good"
    } else if answer.existed {
        "was there already"
    } else {
        "is stored"
    };
    let next = if pin || check { String::new() } else { format!("; next: lakewright pack pin {} --tenant ...", pack.name) };
    ctx.out.said(&format!("the pack {} {did} as {}{next}", pack.name, pack.hash), &views::pack(&pack))
}

/// The files of a pack, by path, so that one content has one hash.
pub(super) fn read_dir(dir: &Path) -> Result<Vec<PackFile>, Error> {
    let mut files = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        let failed = |e: std::io::Error| invalid(format!("{} cannot be read: {e}", at.display()));
        for entry in std::fs::read_dir(&at).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if hidden {
                continue;
            }
            if entry.file_type().map_err(failed)?.is_dir() {
                todo.push(path);
            } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| ENDINGS.contains(&e)) {
                let inside = path
                    .strip_prefix(dir)
                    .ok()
                    .and_then(Path::to_str)
                    .ok_or_else(|| invalid(format!("{} has a name that is not UTF-8", path.display())))?;
                let content = std::fs::read(&path).map_err(|e| invalid(format!("{} cannot be read: {e}", path.display())))?;
                files.push(PackFile { path: inside.to_owned(), content });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if !files.iter().any(|f| f.path == "entities.yaml") {
        return Err(invalid(format!("{} has no entities.yaml, so it is no pack", dir.display())));
    }
    let bytes: usize = files.iter().map(|f| f.content.len()).sum();
    if bytes > MAX_BYTES {
        return Err(invalid(format!("the pack has {bytes} bytes, and at most {MAX_BYTES} are allowed")));
    }
    Ok(files)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, message)
}
