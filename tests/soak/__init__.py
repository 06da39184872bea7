"""`make soak`: many clients of the S3 door for minutes, while its nodes are killed in turn."""
