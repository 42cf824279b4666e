// A file deleted from src must not live on in dist, and so in the tarball.
import { rm } from "node:fs/promises";

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });
