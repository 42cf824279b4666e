import type { Plugin } from "vite";

const DIRECTIVES = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'", // the second compiles WebAssembly and permits no eval of text
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'", // models from elsewhere are fetched by the package's worker, which this does not bind
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
];

/** Writes the content security policy into the built page. Vite's own development client could not live under it. */
export function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: DIRECTIVES.join("; ") },
        injectTo: "head-prepend",
      },
    ],
  };
}
