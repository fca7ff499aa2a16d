// Optional, and not installed in the workspace because it builds native code. `Faiss` types the part that is used.
declare module 'faiss-node';
