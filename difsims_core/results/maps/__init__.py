"""Phase maps as files of other programs: pictures, HyperSpy, orix and what MTEX reads."""
