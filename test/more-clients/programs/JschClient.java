// What the tests ask of JSch (the maintained fork). Arguments: host, port, login, key file.
import com.jcraft.jsch.*;
import java.io.*;

public class JschClient {
  public static void main(String[] a) throws Exception {
    JSch jsch = new JSch();
    jsch.addIdentity(a[3]);
    Session session = jsch.getSession(a[2], a[0], Integer.parseInt(a[1]));
    session.setConfig("StrictHostKeyChecking", "no");
    session.connect(15000);
    ChannelExec exec = (ChannelExec) session.openChannel("exec");
    exec.setCommand("cat; exit 7");
    exec.setInputStream(new ByteArrayInputStream("in".getBytes()));
    InputStream out = exec.getInputStream();
    exec.connect(15000);
    String text = new String(out.readAllBytes());
    for (int n = 0; n < 100 && !exec.isClosed(); n += 1) Thread.sleep(50);
    System.out.println("exec " + text + " " + exec.getExitStatus());
    ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
    sftp.connect(15000);
    sftp.put(new ByteArrayInputStream(new byte[1000000]), "by-jsch");
    System.out.println("sftp " + sftp.lstat("by-jsch").getSize());
    session.disconnect();
  }
}
