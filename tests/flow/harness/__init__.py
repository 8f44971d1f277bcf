"""What the flow tests are made of: certificates, origins, the program, clients."""
