//! Arguments of `kvscope policies`.

use std::path::PathBuf;

use clap::Args;

/// List prefill methods, decode strategies and cache options, with their defaults
#[derive(Args)]
pub struct CatalogueArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print tables in Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Markdown file for the tables. They replace its text between <!-- NAME --> and <!-- /NAME
    /// -->, where NAME is prefill-methods, decode-strategies, cache-options, sampling-options or
    /// sampling-fields
    #[arg(long, value_name = "PATH", conflicts_with_all = ["json", "markdown"])]
    pub readme: Option<PathBuf>,
}
