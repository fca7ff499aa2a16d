import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** Opens a file in the browser of the desktop. Without one, prints the path to open. */
export async function openPage(file: string): Promise<void> {
  const path = resolve(file);
  const [command, ...args] =
    process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : [process.platform === 'darwin' ? 'open' : 'xdg-open'];
  const opener = spawn(command!, [...args, path], { detached: true, stdio: 'ignore' });
  const failed = await new Promise<boolean>((settle) => {
    opener.once('error', () => settle(true)).once('exit', (code) => settle(code !== 0));
    setTimeout(settle, 3000, false).unref(); // a browser may stay in the foreground
  });
  opener.unref();
  if (failed) console.log(`no browser could be opened here; open ${path}`);
}
