"""What is kept, since when and why: the champion, what may go, and copies of the records that must not be lost."""
