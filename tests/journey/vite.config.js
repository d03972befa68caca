import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page names its assets under the token, which the server puts in; modules and stylesheets name
// theirs relative to themselves, so that they stay with the release that they are of. File names
// need no hashes.
export default defineConfig({
  plugins: [react()],
  define: { __RELEASE__: JSON.stringify(process.env.RELEASE ?? "1") },
  build: {
    rollupOptions: {
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
  experimental: {
    renderBuiltUrl: (file, { hostType }) =>
      hostType === "html" ? `/static/{breaker}/${file}` : { relative: true },
  },
});
