import { defineConfig, type LaunchOptions } from "@playwright/test";

/** A browser whose WebGPU is SwiftShader, with `more` arguments. */
const launch = (...more: readonly string[]): LaunchOptions => ({
  executablePath: process.env["CHROME"] ?? "/usr/bin/chromium",
  chromiumSandbox: false, // not available to root, which runs the tests in most containers
  args: [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    ...more,
  ],
});

// Each test loads the module anew. V8's optimising compiler takes longer than it saves there.
const forTests = { launchOptions: launch("--js-flags=--liftoff-only") };

export default defineConfig({
  forbidOnly: "CI" in process.env,
  outputDir: "test-results",
  // A run takes half an hour, so one failure is tried again. Its test is then listed as flaky.
  retries: "CI" in process.env ? 1 : 0,
  reporter: "list",
  // Each has a browser of its own. One alone leaves a third of two processors idle.
  workers: 2,
  timeout: 240_000,
  expect: { timeout: 120_000 },
  projects: [
    { name: "e2e", testDir: "tests/e2e", use: forTests },
    { name: "package", testDir: "tests/package", timeout: 300_000, use: forTests },
    // Not a test: `cargo xtask bench --browser` runs it, without a time limit.
    {
      name: "bench",
      testDir: "tests/bench",
      timeout: 0,
      workers: 1,
      use: { launchOptions: launch("--enable-features=Vulkan") },
    },
  ],
  use: {
    browserName: "chromium",
    // A trace films the page all along: a tenth of the tests' time. `--trace=retain-on-failure`
    // makes it.
    screenshot: "only-on-failure",
  },
});
