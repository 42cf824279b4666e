// npm packs only what lies inside the package's folder, and the licence texts are kept once, at the root.
import { copyFile } from "node:fs/promises";

const copy = (name) => copyFile(new URL(`../../${name}`, import.meta.url), new URL(`../${name}`, import.meta.url));

await Promise.all(["LICENSE-MIT", "LICENSE-APACHE"].map(copy));
