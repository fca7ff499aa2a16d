// Optional and not installed in the workspace (it builds native code): what is used of it is `Faiss`.
declare module 'faiss-node';
