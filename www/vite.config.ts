import { defineConfig } from "vite";
import { contentSecurityPolicy } from "./content-security-policy.ts";
import { offlineFiles } from "./offline-files.ts";

export default defineConfig({
  // Relative addresses only: the folder works from any path of any static host.
  base: "./",
  appType: "mpa", // so that a file that is not there is not answered with the page
  plugins: [contentSecurityPolicy(), offlineFiles()],
  worker: { format: "es" },
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Compressing megabytes of WebAssembly only to print a figure takes longer than the build.
    reportCompressedSize: false,
  },
  preview: {
    host: "127.0.0.1",
    headers: { "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff" },
  },
});
