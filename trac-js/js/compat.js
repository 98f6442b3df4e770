// Starts what wasm2js made of the WebAssembly.

if (isFirst) guarded(() => start(instantiate()))();
