import { defineConfig } from "@playwright/test";

export default defineConfig({
  forbidOnly: "CI" in process.env,
  outputDir: "test-results",
  reporter: "list",
  // Each has a browser of its own. One alone leaves a third of two processors idle.
  workers: 2,
  timeout: 240_000,
  expect: { timeout: 120_000 },
  projects: [
    { name: "e2e", testDir: "tests/e2e" },
    { name: "package", testDir: "tests/package", timeout: 300_000 },
    // Not a test: `cargo xtask bench --browser` runs it, without a time limit.
    { name: "bench", testDir: "tests/bench", timeout: 0, workers: 1 },
  ],
  use: {
    browserName: "chromium",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env["CHROME"] ?? "/usr/bin/chromium",
      chromiumSandbox: false, // not available to root, which runs the tests in most containers
      args: [
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-features=Vulkan",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
});
