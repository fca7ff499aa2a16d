// Optional, and not installed in the workspace (288 MB): `OnnxRuntime` declares the part that is used.
declare module 'onnxruntime-node';
